//! A hand that writes CEL as Asterisk does, for shapes of calls that were never captured.

use std::collections::BTreeMap;

use perezvon::{
    logic::call::{Call, CallRows, CelRow, Context, fold, group},
    settings::Settings,
};

/// 20 November 2026, 09:00:00 UTC; noon in Moscow.
pub(super) const NOON: i64 = 1_795_165_200;

/// Writes CEL as Asterisk does: whole seconds of Moscow's wall clock, ids in order.
#[derive(Default)]
pub(super) struct Pbx {
    pub(super) rows: Vec<CelRow>,
    pub(super) channels: BTreeMap<&'static str, (String, String, &'static str)>,
    now: i64,
}

impl Pbx {
    pub(super) fn at(&mut self, second: i64) -> &mut Self {
        self.now = second;
        self
    }

    pub(super) fn row(&mut self, event: &str, channel: &str, extra: String) -> &mut CelRow {
        let (uniqueid, linkedid, number) = self.channels[channel].clone();
        self.rows.push(CelRow {
            id: self.rows.len() as i64 + 1,
            eventtype: event.to_owned(),
            eventtime: wall(self.now),
            channame: channel.to_owned(),
            cid_num: number.to_owned(),
            uniqueid,
            linkedid,
            extra,
            ..CelRow::default()
        });
        self.rows.last_mut().unwrap()
    }

    /// A channel begins: dialled for `root`, or by itself at `exten@context`.
    pub(super) fn start(
        &mut self,
        channel: &'static str,
        number: &'static str,
        root: Option<&str>,
        place: &str,
    ) -> &mut Self {
        let uniqueid = format!("{}.{}", NOON + self.now, self.channels.len());
        let linkedid = root.map_or_else(|| uniqueid.clone(), |root| self.channels[root].1.clone());
        self.channels.insert(channel, (uniqueid, linkedid, number));
        self.plain("CHAN_START", channel, place)
    }

    pub(super) fn plain(&mut self, event: &str, channel: &str, place: &str) -> &mut Self {
        let row = self.row(event, channel, String::new());
        if let Some((exten, context)) = place.split_once('@') {
            (row.exten, row.context) = (exten.to_owned(), context.to_owned());
        }
        self
    }

    pub(super) fn client(&mut self) -> &mut Self {
        self.start(CLIENT, "79161234567", None, "74951234567@from-trunk")
    }

    /// A phone is dialled for the client.
    pub(super) fn ring(&mut self, channel: &'static str) -> &mut Self {
        let number = if channel.starts_with("Local") { "" } else { &channel[6..9] };
        self.start(channel, number, Some(CLIENT), "s@from-internal")
    }

    pub(super) fn app(&mut self, channel: &str, app: &str, arguments: &str, place: &str) -> &mut Self {
        self.plain("APP_START", channel, place);
        let row = self.rows.last_mut().unwrap();
        (row.appname, row.appdata) = (app.to_owned(), arguments.to_owned());
        self
    }

    pub(super) fn answer(&mut self, channel: &str) -> &mut Self {
        self.plain("ANSWER", channel, "")
    }

    pub(super) fn enter(&mut self, bridge: &str, channels: &[&str]) -> &mut Self {
        self.bridge("BRIDGE_ENTER", bridge, "simple_bridge", channels)
    }

    pub(super) fn exit(&mut self, bridge: &str, channels: &[&str]) -> &mut Self {
        self.bridge("BRIDGE_EXIT", bridge, "simple_bridge", channels)
    }

    pub(super) fn bridge(
        &mut self,
        event: &str,
        bridge: &str,
        technology: &str,
        channels: &[&str],
    ) -> &mut Self {
        for channel in channels {
            let extra = format!(r#"{{"bridge_id":"{bridge}","bridge_technology":"{technology}"}}"#);
            self.row(event, channel, extra);
        }
        self
    }

    pub(super) fn told(&mut self, event: &str, channel: &str, extra: &[(&str, &str)]) -> &mut Self {
        let extra: Vec<String> = extra.iter().map(|(key, value)| format!(r#""{key}":"{value}""#)).collect();
        self.row(event, channel, format!("{{{}}}", extra.join(",")));
        self
    }

    pub(super) fn hangup(&mut self, channels: &[&str]) -> &mut Self {
        channels.iter().for_each(|channel| {
            self.ended(channel, 16, "");
        });
        self
    }

    pub(super) fn ended(&mut self, channel: &str, cause: u32, dialstatus: &str) -> &mut Self {
        let extra =
            format!(r#"{{"hangupcause":{cause},"hangupsource":"{channel}","dialstatus":"{dialstatus}"}}"#);
        self.row("HANGUP", channel, extra);
        self.row("CHAN_END", channel, String::new());
        self
    }

    pub(super) fn uniqueid(&self, channel: &str) -> String {
        self.channels[channel].0.clone()
    }

    pub(super) fn rows(&self) -> CallRows {
        CallRows { cdr: Vec::new(), cel: self.rows.clone() }
    }

    pub(super) fn call(&self) -> Call {
        only(self.rows()).expect("a call")
    }
}

pub(super) const CLIENT: &str = "PJSIP/trunk-00000001";
pub(super) const IVAN: &str = "PJSIP/101-00000002";
pub(super) const ANNA: &str = "PJSIP/102-00000003";
pub(super) const IVAN_AGAIN: &str = "PJSIP/101-00000005";

pub(super) fn wall(second: i64) -> String {
    let time = chrono::DateTime::from_timestamp(NOON + second + 3 * 3600, 0).unwrap();
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

pub(super) fn only(rows: CallRows) -> Option<Call> {
    let groups = group(rows);
    assert_eq!(groups.len(), 1, "one call");
    fold(&groups[0], &Context::from_settings(&Settings::default()).unwrap())
}
