//! `perezvon convert`: one recording to MP3.

use std::{fs, path::PathBuf, process::ExitCode};

use serde::Serialize;

use super::{CliError, Global};
use crate::{edge::recordings::convert_file, settings::Recordings};

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
    let bitrate = match global.config_path() {
        Some(_) => global.settings()?.recordings.bitrate,
        // A trial of one file needs no settings.
        None => Recordings::default().bitrate,
    };
    let same = fs::canonicalize(&args.input).ok().zip(fs::canonicalize(&args.output).ok());
    if same.is_some_and(|(input, output)| input == output) {
        return Err(CliError::usage("the recording and the MP3 are the same file"));
    }
    let input = args.input.display();
    let made = convert_file(&args.input, &args.output, bitrate)
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
        let percent = 100.0 / report.ratio;
        let output = args.output.display();
        println!("{output}: {:.2} s, {} bytes, {percent:.0} % of the recording", made.seconds, made.bytes);
    }
    Ok(ExitCode::SUCCESS)
}
