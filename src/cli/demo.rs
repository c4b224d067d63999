//! `perezvon demo`: a sandbox amoCRM, a sandbox PBX and the real service between them.

mod lines;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::{CliError, Global, block_on};
use crate::{
    edge::fastagi,
    sandbox::{
        amocrm::{self, Handle, Sandbox},
        pbx::{self, Pbx, Person},
    },
    serve::{self, Running, Sockets},
    settings::{Employee, Language, Secret, Settings, Span, StoreUrl, Trunk},
};

/// Ports that the addresses have when nobody else holds them, so that a bookmark works tomorrow.
const PAGES_PORT: u16 = 8573;
const CRM_PORT: u16 = 8574;
const AGI_PORT: u16 = 4573;

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many times faster than life
    #[arg(long, value_name = "N", default_value_t = 5.0)]
    pub speed: f64,
    /// How many calls; absent means until Ctrl-C
    #[arg(long, value_name = "N")]
    pub calls: Option<usize>,
    /// Folder to keep everything in; absent means a temporary one
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// With --calls: end when all of them stand in the CRM, instead of keeping the pages open
    #[arg(long, requires = "calls")]
    pub exit: bool,
}

/// Runs it.
pub fn run(args: &Args, _global: &Global) -> Result<ExitCode, CliError> {
    if !(args.speed.is_finite() && (0.1..=1000.0).contains(&args.speed)) {
        return Err(CliError::usage("--speed is a number from 0.1 to 1000"));
    }
    block_on(morning(args))
}

async fn morning(args: &Args) -> Result<ExitCode, CliError> {
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("perezvon-demo-").tempdir()?),
    };
    let folder = match (&args.dir, &temporary) {
        (Some(folder), _) => {
            std::fs::create_dir_all(folder)?;
            std::path::absolute(folder)?
        }
        (None, Some(temporary)) => temporary.path().to_path_buf(),
        (None, None) => unreachable!("without --dir there is a temporary folder"),
    };
    let language = Settings::default().language();
    let crm = start_crm(language).await?;
    let sockets = bind().await?;
    let settings = demo_settings(&folder, &crm, &sockets)?;
    // The tables first: the service would call their absence a fault.
    Pbx::prepare(&folder).await?;
    let running = serve::start(settings, sockets).await?;
    lines::greet(language, &running, &crm, &folder, temporary.is_some());
    wait_for_directory(&running).await;
    let stop = CancellationToken::new();
    let (events, heard) = mpsc::channel(256);
    let pbx = Pbx::start(pbx_options(args, &folder, &crm, &running), events, stop.clone()).await?;
    let lines = tokio::spawn(lines::live(language, running.store.clone(), crm.users(), heard));
    let ended = wait_for_end(args, language, pbx, lines).await;
    stop.cancel();
    lines::goodbye(language, temporary.is_none().then_some(&*folder));
    running.stop().await;
    crm.stop().await;
    Ok(if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Until Ctrl-C; or, when asked to, until all calls stand in the CRM.
async fn wait_for_end(
    args: &Args,
    language: Language,
    pbx: Pbx,
    mut lines: tokio::task::JoinHandle<lines::Tally>,
) -> bool {
    let calls = async {
        pbx.ended().await;
        // The lines end when every call that ended has been told.
        let tally = (&mut lines).await.unwrap_or_default();
        lines::sum_up(language, &tally, args.exit);
        if !args.exit {
            std::future::pending::<()>().await;
        }
        tally.failed == 0
    };
    tokio::select! {
        all_well = calls => all_well,
        () = serve::stop_signal() => true,
    }
}

async fn start_crm(language: Language) -> Result<Handle, CliError> {
    let options = amocrm::Options {
        users: ["Ольга Лаврова", "Анна Смирнова", "Борис Кузнецов", "Вера Ким", "Глеб Орлов"]
            .map(String::from)
            .to_vec(),
        seed_contacts: 60,
        limits: amocrm::Limits::real(),
        language,
        ..amocrm::Options::default()
    };
    Ok(Sandbox::start(listen(CRM_PORT).await?, options)?)
}

async fn bind() -> Result<Sockets, CliError> {
    let agi = SocketAddr::from((Ipv4Addr::LOCALHOST, AGI_PORT));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(Sockets {
        http: listen(PAGES_PORT).await?,
        agi: Some(fastagi::bind(agi).or_else(|_| fastagi::bind(any))?),
    })
}

/// The usual port, or any free one when somebody holds it.
async fn listen(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
    }
}

/// What an admin would write, with the sandbox in amoCRM's place.
fn demo_settings(folder: &Path, crm: &Handle, sockets: &Sockets) -> Result<Settings, CliError> {
    let mut settings = Settings::default();
    settings.store.url = StoreUrl::Sqlite(fresh_store(folder));
    settings.http.listen = sockets.http.local_addr()?;
    settings.http.public_url = format!("http://{}", settings.http.listen);
    settings.pbx.database_url = Some(StoreUrl::Sqlite(folder.join("master.db")));
    settings.pbx.poll_interval = Span::millis(300);
    settings.recordings.source = folder.join("monitor");
    settings.recordings.mp3_folder = folder.join("mp3");
    settings.amocrm.base_url = crm.base_url();
    settings.amocrm.token = Secret::new(crm.token());
    settings.amocrm.sync_interval = Span::secs(10);
    settings.trunks = BTreeMap::from([("trunk".to_owned(), Trunk { name: "+7 495 123-45-67".to_owned() })]);
    settings.employees =
        staff(crm).map(|(person, user)| (person.number, Employee::new(user, person.name))).collect();
    settings.base.default_user = crm.users().first().map(|user| user.id);
    Ok(settings)
}

/// The pretend CRM begins anew each time, so a store that remembers the one before would name cards that are gone.
fn fresh_store(folder: &Path) -> PathBuf {
    let first = folder.join("perezvon.db");
    let later = (2_u32..).map(|run| folder.join(format!("perezvon-{run}.db")));
    std::iter::once(first.clone()).chain(later).find(|file| !file.exists()).unwrap_or(first)
}

/// Everybody but the administrator has a phone: 101, 102, …
fn staff(crm: &Handle) -> impl Iterator<Item = (Person, u64)> {
    let users = crm.users().into_iter().skip(1).zip(101..);
    users.map(|(user, number)| (Person { number: number.to_string(), name: user.name }, user.id))
}

fn pbx_options(args: &Args, folder: &Path, crm: &Handle, running: &Running) -> pbx::Options {
    pbx::Options {
        folder: folder.to_path_buf(),
        agi: running.agi,
        calls: args.calls,
        speed: args.speed,
        seed: 1,
        employees: staff(crm).map(|(person, _)| person).collect(),
        clients: callers(crm),
    }
}

/// Two of three callers are known to the CRM.
fn callers(crm: &Handle) -> Vec<Person> {
    let mut callers = Vec::new();
    for (turn, contact) in crm.contacts().into_iter().take(24).enumerate() {
        let digits = |phone: &String| phone.chars().filter(char::is_ascii_digit).collect::<String>();
        let Some(mut number) = contact.phones.first().map(digits) else { continue };
        match number.len() {
            10 => number.insert(0, '7'),
            11 => number.replace_range(0..1, "7"),
            _ => continue,
        }
        callers.push(Person { number, name: contact.name });
        if turn % 2 == 0 {
            callers.push(Person { number: format!("7903555{:04}", 1000 + turn * 7), name: String::new() });
        }
    }
    callers
}

async fn wait_for_directory(running: &Running) {
    for _ in 0..100 {
        if running.directory.complete_until().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
