//! Webhooks on their way: two seconds to answer, then the ladder of repeats (reference 5).

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{handle::Desk, hook_forms::HookPost};
use crate::edge::clock;

/// How long a subscriber may think.
const DEADLINE: Duration = Duration::from_secs(2);

/// Waits before the second to fifth attempt; the last two only after 499 or 5xx.
const LADDER: [u64; 4] = [5 * 60, 15 * 60, 15 * 60, 3600];

/// Sends forms without holding anybody up.
#[derive(Clone)]
pub(super) struct Sender {
    client: Arc<OnceLock<Option<reqwest::Client>>>,
    stop: CancellationToken,
}

impl Sender {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { client: Arc::default(), stop }
    }

    /// Sends these; at least once each, in no certain order.
    pub(super) fn send(&self, desk: &Desk, posts: Vec<HookPost>) {
        for post in posts {
            let (sender, desk) = (self.clone(), desk.clone());
            tokio::spawn(async move {
                let stop = sender.stop.clone();
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = sender.deliver(&desk, &post) => {}
                }
            });
        }
    }

    async fn deliver(&self, desk: &Desk, post: &HookPost) {
        let speed = desk.state().options.hook_speed.max(1);
        for attempt in 0..=LADDER.len() {
            let status = self.attempt(post).await;
            let is_valid = (100..300).contains(&status);
            desk.state().hook_answered(post.hook, is_valid, clock::now().timestamp());
            let may_go_on = attempt < 2 || status >= 499;
            let Some(wait) = LADDER.get(attempt).filter(|_| !is_valid && may_go_on) else { return };
            tokio::time::sleep(Duration::from_secs(*wait) / speed).await;
        }
    }

    /// The status; 0 when nobody was there, 499 when the answer took too long.
    async fn attempt(&self, post: &HookPost) -> u16 {
        let Some(client) = self.client.get_or_init(client) else { return 0 };
        let sent = client.post(&post.destination).form(&post.form).send().await;
        match sent {
            Ok(answer) => answer.status().as_u16(),
            Err(error) if error.is_timeout() => 499,
            Err(_) => 0,
        }
    }
}

fn client() -> Option<reqwest::Client> {
    // An error means that somebody has installed one already, which is as good.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let built = reqwest::Client::builder()
        .timeout(DEADLINE)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("amoCRM-Webhooks/3.0")
        .build();
    built.map_err(|error| tracing::error!("sandbox sends no webhooks: {error}")).ok()
}
