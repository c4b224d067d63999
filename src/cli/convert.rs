//! `perezvon convert`: one recording to MP3.

use std::{fs, path::PathBuf, process::ExitCode};

use serde::Serialize;

use super::{CliError, Global};
use crate::{edge::recordings::convert_file, settings::Settings, text::say};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// WAV, wav49, .gsm, .ulaw, .alaw, .sln
    pub input: PathBuf,
    /// MP3 to write; a file of that name is replaced
    pub output: PathBuf,
}

/// What was made; the JSON that `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    input: &'a PathBuf,
    output: &'a PathBuf,
    seconds: f64,
    input_bytes: u64,
    output_bytes: u64,
    ratio: f64,
}

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    // A trial of one file needs no settings.
    let settings = if global.config_path().is_some() { global.settings()? } else { Settings::default() };
    let same = fs::canonicalize(&args.input).ok().zip(fs::canonicalize(&args.output).ok());
    if same.is_some_and(|(input, output)| input == output) {
        return Err(CliError::usage("the recording and the MP3 are the same file"));
    }
    let input = args.input.display();
    let made = convert_file(&args.input, &args.output, settings.recordings.bitrate)
        .map_err(|fault| CliError::failed(format!("{input}: {fault}")))?;
    let input_bytes = fs::metadata(&args.input)?.len();
    let report = Report {
        input: &args.input,
        output: &args.output,
        seconds: made.seconds,
        input_bytes,
        output_bytes: made.bytes,
        ratio: input_bytes as f64 / made.bytes as f64,
    };
    if global.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        let file = args.output.display().to_string();
        let (seconds, bytes) = (format!("{:.2}", made.seconds), made.bytes.to_string());
        let percent = format!("{:.0}", 100.0 / report.ratio);
        let values = [("file", &*file), ("seconds", &seconds), ("bytes", &bytes), ("percent", &percent)];
        println!("{}", say(settings.language(), "convert.done", &values));
    }
    Ok(ExitCode::SUCCESS)
}
