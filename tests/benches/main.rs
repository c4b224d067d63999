//! `cargo bench`: figures as ratios against a named reference measured in the same run.

mod directory;
mod fastagi;
mod mp3;
mod poll;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let parts: [(&str, fn()); 4] =
        [("fastagi", fastagi::run), ("mp3", mp3::run), ("poll", poll::run), ("directory", directory::run)];
    for (name, run) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("== {name}");
            run();
        }
    }
}
