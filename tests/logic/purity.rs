//! `src/logic` has no IO, clock or await.

use std::{fs, path::Path};

const FOREIGN: [&str; 9] = [
    "tokio::",
    "std::net",
    "std::process",
    "std::fs",
    ".await",
    "async fn",
    "Instant::now",
    "SystemTime",
    "Utc::now",
];

#[test]
fn logic_asks_nothing_and_waits_for_nothing() {
    let mut faults = Vec::new();
    look_into(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/logic"), &mut faults);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn look_into(folder: &Path, faults: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look_into(&path, faults);
            continue;
        }
        // A test may take any moment for its beginning.
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().take_while(|line| *line != "#[cfg(test)]").enumerate() {
            let code = line.split("//").next().unwrap_or("");
            faults.extend(
                FOREIGN
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{}:{}: {word}", path.display(), number + 1)),
            );
        }
    }
}
