//! `perezvon explain` as an admin runs it.

use serde_json::json;

use crate::{
    commands::{code, said},
    desk::Desk,
    harness::stores,
};

const BACKFILL: [&str; 3] = ["backfill", "--from", "2h"];

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_from_its_rows_to_the_answers_of_the_crm() {
    for fresh in stores().await {
        let desk = Desk::set_up(&fresh).await;
        desk.json(&BACKFILL, 0).await;
        let output = desk.run(&["explain", &desk.ids[0]]).await;
        let told = said(&output);
        assert_eq!(code(&output), 0, "{told}");
        let parts = [
            "Rows of Asterisk",
            "ANSWERED",
            "BRIDGE_ENTER",
            "Conversations and recordings",
            "0:06",
            "Decisions",
            "[done",
            "Requests to amoCRM and answers",
            "POST /api/v4/leads/complex  200",
            "POST /api/v4/leads/notes  200",
        ];
        let mut rest = told.as_str();
        for part in parts {
            let at =
                rest.find(part).unwrap_or_else(|| panic!("{part:?} is not there, or too early:\n{told}"));
            rest = &rest[at..];
        }
        assert!(!told.contains(&desk.sandbox.token()), "the token is told");

        let facts = desk.json(&["explain", &desk.ids[0]], 0).await.remove(0);
        assert_eq!(facts["call"]["id"], json!(desk.ids[0]));
        assert_eq!(facts["call"]["state"], "registered");
        assert_eq!(facts["call"]["call"]["talk_seconds"], 6);
        let actions: Vec<_> = facts["actions"].as_array().unwrap().iter().collect();
        assert_eq!(actions.len(), 3);
        assert!(actions.iter().all(|action| action["state"] == "done"), "{actions:?}");
        let note = actions.iter().find(|action| action["kind"] == "call").unwrap();
        assert_eq!(note["result"]["id"], json!(desk.sandbox.calls()[0].id));
        assert_eq!(facts["requests"].as_array().unwrap().len(), 2);

        let skipped = said(&desk.run(&["explain", &desk.ids[3]]).await);
        assert!(skipped.contains("not needed: an internal call"), "{skipped}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_call_is_said_with_what_to_do() {
    for fresh in stores().await {
        let desk = Desk::set_up(&fresh).await;
        for arguments in [vec!["explain", "1795173574.4"], vec!["explain", "1795173574.4", "--retry"]] {
            let output = desk.run(&arguments).await;
            assert_eq!(code(&output), 1, "{}", said(&output));
            assert!(said(&output).contains("1795173574.4") && said(&output).contains("backfill"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_told_and_retried() {
    for fresh in stores().await {
        let desk = Desk::set_up(&fresh).await;
        desk.connect("[base]\npipeline = 999999\nstatus = 999999\n");
        let tally = desk.json(&BACKFILL, 1).await.remove(0);
        assert_eq!(tally["states"], json!({"failed": 3, "skipped": 1}), "{}", fresh.engine);
        assert_eq!(desk.stands(), [0; 4]);
        let id = &desk.ids[0];
        let told = said(&desk.run(&["explain", id]).await);
        assert!(told.contains("failed: amoCRM: ") && told.contains("[failed]"), "{told}");

        desk.connect("");
        // Repeating alone does not take up again what was given up.
        desk.json(&BACKFILL, 1).await;
        assert_eq!(desk.stands(), [0; 4]);
        let facts = desk.json(&["explain", id, "--retry"], 0).await.remove(0);
        assert_eq!(facts["call"]["state"], "waiting");
        let tally = desk.json(&BACKFILL, 1).await.remove(0);
        assert_eq!(tally["states"], json!({"failed": 2, "registered": 1, "skipped": 1}));
        assert_eq!(desk.stands(), [1, 1, 1, 0]);

        // What stands there stays there.
        desk.json(&["explain", id, "--retry"], 0).await;
        desk.json(&BACKFILL, 1).await;
        assert_eq!(desk.stands(), [1, 1, 1, 0], "{}", fresh.engine);
        assert_eq!(desk.json(&["explain", id], 0).await[0]["call"]["state"], "registered");
    }
}
