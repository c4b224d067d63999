//! The product as its users run it, `perezvon serve` in a process of its own, between the lane's PBX and a sandbox amoCRM.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Mutex,
    time::{Duration, Instant},
};

use perezvon::sandbox::amocrm::{Contact, Handle, Kind, Lead, Options, Sandbox};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
};

use crate::lab::Lane;

/// Extension and name, as in the numbering plan; the first CRM user is the admin, owner of what nobody took.
const EMPLOYEES: [(&str, &str); 4] =
    [("101", "Анна Смирнова"), ("102", "Борис Кузнецов"), ("103", "Вера Павлова"), ("104", "Глеб Орлов")];
const ADMIN: &str = "Дина Волкова";
const HOOK_SECRET: &str = "lab-webhook";
/// How long starting, and hearing of a change in the CRM, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service and the account it writes to.
pub(crate) struct Service {
    /// The account.
    pub(crate) sandbox: Handle,
    /// Extension → CRM user.
    pub(crate) users: BTreeMap<String, u64>,
    /// Who owns what nobody took.
    pub(crate) default_user: u64,
    client: reqwest::Client,
    base: String,
    child: Mutex<Option<Child>>,
    config: PathBuf,
    log: PathBuf,
}

impl Service {
    /// Starts both; returns when calls are read and the directory is complete. `folder` is emptied.
    pub(crate) async fn start(lane: &Lane, folder: &Path) -> Result<Self, String> {
        let fault = |what: &str, error: std::io::Error| format!("{what}: {error}");
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| fault("the service's folder", error))?;
        }
        fs::create_dir_all(folder).map_err(|error| fault("the service's folder", error))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| fault("sandbox", error))?;
        let names = std::iter::once(ADMIN).chain(EMPLOYEES.map(|(_, name)| name));
        let options = Options { users: names.map(str::to_owned).collect(), ..Options::default() };
        let sandbox = Sandbox::start(listener, options).map_err(|error| fault("sandbox", error))?;
        let ids: Vec<u64> = sandbox.users().iter().map(|user| user.id).collect();
        let users =
            EMPLOYEES.iter().zip(&ids[1..]).map(|((extension, _), id)| ((*extension).to_owned(), *id));
        let config = folder.join("perezvon.toml");
        let users: BTreeMap<String, u64> = users.collect();
        fs::write(&config, settings(lane, folder, &sandbox, &users, ids[0]))
            .map_err(|error| fault("settings", error))?;
        let log = folder.join("log");
        let service = Self {
            sandbox,
            users,
            default_user: ids[0],
            client: reqwest::Client::new(),
            base: format!("http://{}:8573", lane.perezvon),
            child: Mutex::new(Some(spawn(&config, &log, &[])?)),
            config,
            log,
        };
        service.subscribe().await?;
        service.ready().await?;
        Ok(service)
    }

    /// Stops it as an init system does; it must end by itself, without a fault.
    pub(crate) async fn stop(&self) -> Result<(), String> {
        let child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(mut child) = child else { return Ok(()) };
        let pid = child.id().map(|id| id.to_string()).unwrap_or_default();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await;
        told.map_err(|error| format!("kill: {error}"))?;
        match tokio::time::timeout(Duration::from_secs(12), child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(ended) => Err(format!("perezvon serve ended with {ended:?}; {}", self.end_of_log())),
            Err(_) => Err(format!("perezvon serve did not stop within 12 s; {}", self.end_of_log())),
        }
    }

    /// Starts it again with what it had, and with further variables in its environment.
    pub(crate) async fn restart(&self, more: &[(&str, &str)]) -> Result<(), String> {
        let child = spawn(&self.config, &self.log, more)?;
        *self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(child);
        self.ready().await
    }

    /// Whether somebody stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_none()
    }

    /// `kill SIGNAL` of its process.
    pub(crate) async fn signal(&self, signal: &str) -> Result<(), String> {
        let id = {
            let child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            child.as_ref().and_then(Child::id)
        };
        let pid = id.ok_or_else(|| "perezvon serve was stopped".to_owned())?.to_string();
        let told = Command::new("kill").args([signal, &pid]).status().await;
        match told.map_err(|error| format!("kill: {error}"))?.success() {
            true if signal == "-STOP" => until_stopped(&pid).await,
            true => Ok(()),
            false => Err(format!("kill {signal} {pid} failed")),
        }
    }

    /// An answer of its HTTP API.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        self.check_alive()?;
        let url = format!("{}{path}", self.base);
        let answer = self.client.get(&url).timeout(Duration::from_secs(5)).send().await;
        let answer = answer.map_err(|error| format!("{url}: {error}"))?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| format!("{url}: {status}, {error}"))?;
        if status.is_success() { Ok(body) } else { Err(format!("{url}: {status}, {body}")) }
    }

    /// The sound behind a recording's link.
    pub(crate) async fn play(&self, link: &str) -> Result<Vec<u8>, String> {
        let fault = |error: reqwest::Error| format!("{link} does not play: {error}");
        let answer = self.client.get(link).send().await.map_err(fault)?.error_for_status().map_err(fault)?;
        Ok(answer.bytes().await.map_err(fault)?.to_vec())
    }

    /// What a call is to the service, by any of its linkedids; none when it has none.
    pub(crate) async fn call(&self, linkedid: &str) -> Option<Value> {
        self.get(&format!("/api/v1/calls/{linkedid}")).await.ok()
    }

    /// How many calls it has, in whatever state.
    pub(crate) async fn count(&self) -> Result<u64, String> {
        let status = self.get("/api/v1/status").await?;
        let states = status["calls"].as_object().ok_or_else(|| format!("no calls in {status}"))?;
        Ok(states.values().filter_map(Value::as_u64).sum())
    }

    /// A contact of that number stands in the CRM, and the service has heard of it.
    pub(crate) async fn knows(&self, number: &str, name: &str, extension: &str) -> Result<(), String> {
        let user = *self.users.get(extension).ok_or_else(|| format!("{extension} has no CRM user"))?;
        self.sandbox.add_contact(Kind::Contact, name, &[&format!("+{number}")], user);
        self.until_route_says(number, "found").await
    }

    /// Takes all cards out of the CRM, as a person would, so that the next scenario's clients are strangers.
    pub(crate) async fn forget_clients(&self) -> Result<(), String> {
        let contacts = self.contacts();
        for lead in self.leads() {
            self.sandbox.delete(Kind::Lead, lead.id);
        }
        for contact in &contacts {
            self.sandbox.delete(Kind::Contact, contact.id);
        }
        for number in contacts.iter().flat_map(|contact| &contact.phones) {
            self.until_route_says(number.trim_start_matches('+'), "unknown").await?;
        }
        Ok(())
    }

    /// Contacts that are not in the bin.
    pub(crate) fn contacts(&self) -> Vec<Contact> {
        self.sandbox.contacts().into_iter().filter(|contact| !contact.is_deleted).collect()
    }

    /// Leads that are not in the bin.
    pub(crate) fn leads(&self) -> Vec<Lead> {
        self.sandbox.leads().into_iter().filter(|lead| !lead.is_deleted).collect()
    }

    async fn until_route_says(&self, number: &str, status: &str) -> Result<(), String> {
        let mut last = Value::Null;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            last = self.get(&format!("/route?phone={number}")).await?;
            if last["status"] == status {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!(
            "{PATIENCE:?} after the CRM changed /route is not {status}: {last}; {}",
            self.end_of_log()
        ))
    }

    /// Whether the process still runs.
    pub(crate) fn check_alive(&self) -> Result<(), String> {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match child.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => Ok(()),
            Some(Ok(Some(status))) => {
                Err(format!("perezvon serve ended by itself, {status}; {}", self.end_of_log()))
            }
            Some(Err(error)) => Err(format!("perezvon serve: {error}")),
            None => Err("perezvon serve was stopped".to_owned()),
        }
    }

    /// The CRM tells the service of changes, as the README tells users to set it up.
    async fn subscribe(&self) -> Result<(), String> {
        let kinds = ["lead", "contact", "company"];
        let what: Vec<String> = kinds
            .iter()
            .flat_map(|kind| ["add", "update", "delete"].map(|event| format!("{event}_{kind}")))
            .collect();
        let hook =
            json!({"destination": format!("{}/amocrm/webhook/{HOOK_SECRET}", self.base), "settings": what});
        let asked = self
            .client
            .post(format!("{}/api/v4/webhooks", self.sandbox.base_url()))
            .bearer_auth(self.sandbox.token())
            .json(&hook)
            .send()
            .await;
        let answer = asked.and_then(reqwest::Response::error_for_status);
        answer.map(drop).map_err(|error| format!("the sandbox takes no webhook: {error}"))
    }

    async fn ready(&self) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        let mut last = Err("it was never asked".to_owned());
        while Instant::now() < until {
            self.check_alive()?;
            last = self.get("/api/v1/status").await;
            if let Ok(said) = &last {
                let well = |part: &str| said["parts"][part]["health"] == "ok";
                let walked =
                    !said["parts"]["directory"]["text"].as_str().unwrap_or("first").starts_with("first");
                if ["pbx", "ami", "amocrm", "agi", "directory"].into_iter().all(well) && walked {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("perezvon serve is not ready after {PATIENCE:?}: {last:?}; {}", self.end_of_log()))
    }

    fn end_of_log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(15)..];
        format!("the end of {}:\n{}", self.log.display(), last.join("\n"))
    }
}

/// A thread that waits for its turn on a busy machine stops when it gets it, some milliseconds later.
async fn until_stopped(pid: &str) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| format!("{pid}: {error}"))?;
        // `PID (name) STATE …`
        let stopped = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        };
        if tasks.flatten().all(stopped) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(format!("process {pid} does not stop"))
}

fn spawn(config: &Path, log: &Path, more: &[(&str, &str)]) -> Result<Child, String> {
    let fault = |error: std::io::Error| format!("perezvon serve: {error}");
    let out = File::options().create(true).append(true).open(log).map_err(fault)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_perezvon"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PEREZVON_")) {
        command.env_remove(name);
    }
    command
        .args(["serve", "--config"])
        .arg(config)
        .env("RUST_LOG", "info,perezvon=debug")
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(fault)?)
        .stderr(out)
        .kill_on_drop(true)
        .spawn()
        .map_err(fault)
}

/// `perezvon.toml` as the admin of this PBX would write it.
fn settings(
    lane: &Lane,
    folder: &Path,
    sandbox: &Handle,
    users: &BTreeMap<String, u64>,
    default_user: u64,
) -> String {
    let employees: String = EMPLOYEES
        .iter()
        .map(|(extension, name)| {
            format!("{extension} = {{ user = {}, name = \"{name}\" }}\n", users[*extension])
        })
        .collect();
    format!(
        r#"[store]
url = "sqlite:{folder}/perezvon.db"

[http]
listen = "{perezvon}:8573"

[agi]
listen = "{perezvon}:4573"

[ami]
address = "{pbx}:5038"
username = "perezvon"
secret = "perezvon"

[pbx]
database_url = "{database}"

[recordings]
source = "{spool}/monitor"
mp3_folder = "{folder}/mp3"

[amocrm]
base_url = "{amocrm}"
token = "{token}"
webhook_secret = "{HOOK_SECRET}"

[employees]
{employees}
[trunks]
trunk = {{ name = "Основная линия" }}
trunk2 = {{ name = "Вторая линия" }}

[base]
default_user = {default_user}
"#,
        folder = folder.display(),
        perezvon = lane.perezvon,
        pbx = lane.pbx,
        database = lane.database,
        spool = lane.spool.display(),
        amocrm = sandbox.base_url(),
        token = sandbox.token(),
    )
}
