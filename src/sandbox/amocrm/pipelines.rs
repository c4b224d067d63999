//! Pipelines and their statuses (reference 3.7).

use serde_json::{Value, json};

use super::{answer::Answer, ask::Ask, state::State};

/// Won, in every pipeline.
pub(super) const WON: u64 = 142;
/// Lost, in every pipeline.
pub(super) const LOST: u64 = 143;

/// A pipeline.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) is_main: bool,
    pub(super) statuses: Vec<Status>,
}

/// A status of a pipeline.
#[derive(Debug, Clone)]
pub(super) struct Status {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) color: String,
    /// The stage of incoming leads.
    pub(super) is_unsorted: bool,
}

/// `GET /leads/pipelines`.
pub(super) fn list(state: &mut State, _ask: &Ask) -> Answer {
    let pipelines: Vec<Value> = state.pipelines.iter().map(|line| pipeline_json(state, line)).collect();
    Answer::ok(json!({
        "_total_items": pipelines.len(),
        "_links": {"self": {"href": format!("{}/api/v4/leads/pipelines", state.base)}},
        "_embedded": {"pipelines": pipelines},
    }))
}

/// `GET /leads/pipelines/{id}`.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    found(state, ask).map_or_else(no_pipeline, |line| Answer::ok(pipeline_json(state, line)))
}

/// `GET /leads/pipelines/{id}/statuses`.
pub(super) fn statuses(state: &mut State, ask: &Ask) -> Answer {
    found(state, ask).map_or_else(no_pipeline, |line| {
        let statuses = statuses_json(state, line);
        Answer::ok(json!({"_total_items": statuses.len(), "_embedded": {"statuses": statuses}}))
    })
}

/// `GET /leads/pipelines/{id}/statuses/{id}`.
pub(super) fn status(state: &mut State, ask: &Ask) -> Answer {
    let wanted = ask.id(4);
    let one = found(state, ask).and_then(|line| {
        statuses_json(state, line).into_iter().find(|status| status["id"].as_u64() == wanted)
    });
    one.map_or_else(no_pipeline, Answer::ok)
}

fn found<'a>(state: &'a State, ask: &Ask) -> Option<&'a Pipeline> {
    state.pipelines.iter().find(|line| Some(line.id) == ask.id(2))
}

fn no_pipeline() -> Answer {
    Answer::problem(404, "Not Found", "Pipeline not found!")
}

fn pipeline_json(state: &State, line: &Pipeline) -> Value {
    json!({
        "id": line.id, "name": line.name, "sort": if line.is_main { 1 } else { 2 },
        "is_main": line.is_main, "is_unsorted_on": !state.toggles().unsorted_off, "is_archive": false,
        "account_id": state.account_id,
        "_links": {"self": {"href": format!("{}/api/v4/leads/pipelines/{}", state.base, line.id)}},
        "_embedded": {"statuses": statuses_json(state, line)},
    })
}

fn statuses_json(state: &State, line: &Pipeline) -> Vec<Value> {
    let json_of = |(at, status): (usize, &Status)| {
        let sort = match status.id {
            WON => 10_000,
            LOST => 11_000,
            _ => (at + 1) * 10,
        };
        json!({
            "id": status.id, "name": status.name, "sort": sort,
            "is_editable": !status.is_unsorted && !matches!(status.id, WON | LOST),
            "pipeline_id": line.id, "color": status.color, "type": u8::from(status.is_unsorted),
            "account_id": state.account_id,
            "_links": {"self": {"href": format!(
                "{}/api/v4/leads/pipelines/{}/statuses/{}", state.base, line.id, status.id
            )}},
        })
    };
    line.statuses.iter().enumerate().map(json_of).collect()
}

impl State {
    /// Main pipeline and its first stage after unsorted.
    pub(super) fn default_stage(&self) -> (u64, u64) {
        self.pipelines.iter().find(|line| line.is_main).map_or((0, 0), |line| (line.id, line.first_stage()))
    }

    /// The pipeline a status belongs to; 142 and 143 belong to each, so to the one at hand.
    pub(super) fn pipeline_of(&self, status_id: u64, at_hand: u64) -> Option<u64> {
        let holds = |line: &&Pipeline| line.statuses.iter().any(|status| status.id == status_id);
        let own = self.pipelines.iter().find(|line| line.id == at_hand).filter(holds);
        own.or_else(|| self.pipelines.iter().find(holds)).map(|line| line.id)
    }

    pub(super) fn pipeline(&self, id: u64) -> Option<&Pipeline> {
        self.pipelines.iter().find(|line| line.id == id)
    }
}

impl Pipeline {
    pub(super) fn first_stage(&self) -> u64 {
        self.statuses.iter().find(|status| !status.is_unsorted).map_or(0, |status| status.id)
    }

    pub(super) fn unsorted_stage(&self) -> u64 {
        self.statuses.iter().find(|status| status.is_unsorted).map_or(0, |status| status.id)
    }
}
