//! A call that stands in the CRM is told differently by later rows: its note is changed, not doubled.

use super::{Stop, hold, items::new_call, job::made, round::Round};
use crate::{
    edge::store::ActionState,
    logic::{
        crm::payload,
        rules::plan::{Action, CallNote},
    },
    settings::Language,
};

impl Round<'_> {
    /// Changes the notes whose facts are no longer what was sent. The same request twice does no harm.
    pub(super) async fn change_notes(&mut self) -> Result<(), Stop> {
        for at in 0..self.jobs.len() {
            let job = &self.jobs[at];
            let Some(action) = job.action("call").filter(|action| action.state == ActionState::Done) else {
                continue;
            };
            let Some(Action::WriteCall { note, .. }) = job.planned("call").filter(|_| job.open()) else {
                continue;
            };
            let sent: Option<CallNote> = serde_json::from_value(action.payload["note"].clone()).ok();
            if sent.as_ref() == Some(note) {
                continue;
            }
            let (note, mut action) = (note.clone(), action.clone());
            let place = serde_json::from_value(action.payload["place"].clone()).ok();
            let Some((target, _)) = place.and_then(|place| job.resolve(place)) else { continue };
            let (Some(id), Some(call)) = (made(&action), new_call(job)) else { continue };
            let about = [super::doubt::about(job, "call")];
            let request = payload::call_note_change(target, id, &call);
            match self.registrar.ask(request, self.urgency, &about).await {
                Ok(_) => {
                    action.payload["note"] = serde_json::to_value(&note).unwrap_or_default();
                    self.registrar.parts.store.keep_actions(&[action]).await?;
                }
                Err(failure) if hold::concerns_all(&failure) => return Err(Stop::Hold(failure)),
                Err(failure @ crate::edge::amocrm::Failure::MaybeSent(_)) => {
                    let at_time = crate::edge::clock::now() + self.registrar.waits.settle();
                    self.jobs[at].wait(failure.to_string(), at_time);
                }
                Err(failure) => {
                    self.jobs[at].remark = Some(match self.language() {
                        Language::Ru => format!("amoCRM не приняла уточнение звонка: {failure}"),
                        Language::En => format!("amoCRM did not take the corrected call: {failure}"),
                    });
                }
            }
        }
        Ok(())
    }
}
