//! `perezvon dialplan`: the include file, ready to use.

use std::process::ExitCode;

use super::{CliError, Global};
use crate::{
    edge::dialplan::place,
    logic::dialplan::{Flavour, file},
    text::say,
};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose dialplan it goes into
    #[arg(value_name = "DIALPLAN", default_value = "plain", value_parser = ["plain", "freepbx", "issabel"])]
    dialplan: String,
    /// Address at which Asterisk finds this machine [default: as `listen` of agi and http says]
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
}

/// Prints it; what must still be done goes to standard error, so that the output can go into a file.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = global.settings()?;
    let mut place = place(&settings);
    if let Some(host) = &args.address {
        let host = host.trim_matches(['[', ']']);
        host.clone_into(&mut place.agi.host);
        host.clone_into(&mut place.http.host);
    }
    let flavour = Flavour::parse(&args.dialplan).unwrap_or(Flavour::Plain);
    print!("{}", file(flavour, &place));
    let language = settings.language();
    let warn = |wanted: bool, key: &str| {
        if wanted {
            eprintln!("perezvon: {}", say(language, key, &[]));
        }
    };
    warn(!settings.agi.enabled, "dialplan.agi_off");
    warn(place.is_held_by_freepbx(flavour), "dialplan.port_of_freepbx");
    Ok(ExitCode::SUCCESS)
}
