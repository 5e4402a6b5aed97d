//! One queue of mails and three servers that send: is each sent, and sent once, although a node dies; and how many are
//! sent twice when a server dies?

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::server::Servers;
use crate::store::{Store, script};
use crate::watch::{Breach, Watch};
use crate::web::{Browser, SERVERS};

/// How long the queue may stand still before the leases are looked at.
const STILL: Duration = Duration::from_secs(40);

/// With these flags servers mail by a program that keeps each mail in `mails`, in this folder, and takes some time.
pub fn flags(folder: &Path) -> Vec<String> {
    let program = folder.join("program");
    fs::create_dir_all(mails(folder)).expect("the folder is ours");
    let text = format!(
        "#!/bin/sh\ncat >{0}/part.$$ && mv {0}/part.$$ {0}/mails/$$.$(date +%s%N)\nsleep 0.05\n",
        folder.display()
    );
    fs::write(&program, text).expect("the folder is ours");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    vec![
        format!("--mail-command={}", program.display()),
        "--mail-from=no-reply@example.com".to_owned(),
        "--origin=http://127.0.0.1:9".to_owned(),
    ]
}

fn mails(folder: &Path) -> PathBuf {
    folder.join("mails")
}

/// Runs it: a node dies, then a server.
pub fn run(
    watch: &Watch,
    servers: &mut Servers,
    store: &Store,
    count: usize,
) -> Result<(), String> {
    let folder = servers.folder().to_owned();
    queue(store, servers.ports, "a", count)?;
    wait_for(&folder, count / 10)?;
    let node = store.busiest().unwrap_or(1).to_string();
    if matches!(store, Store::Cluster { .. }) {
        script(&["kill", &node])?;
        println!("{:6.1} s  kill of node {node}, the one in use", watch.now().as_secs_f64());
        // Longer than the others need to leave it.
        thread::sleep(Duration::from_secs(8));
        script(&["rejoin", &node])?;
        script(&["settle"])?;
        println!("{:6.1} s  all nodes are whole", watch.now().as_secs_f64());
    }
    let waited = drain(&folder, store)?;
    judge(watch, &folder, (count, 0), "a node died", waited);

    fs::remove_dir_all(mails(&folder))
        .and_then(|()| fs::create_dir(mails(&folder)))
        .map_err(|err| told(&err))?;
    queue(store, servers.ports, "b", count)?;
    wait_for(&folder, count / 10)?;
    servers.kill(0);
    let waited = drain(&folder, store)?;
    judge(watch, &folder, (count, 1), "a server died", waited);
    Ok(())
}

/// Queues a mail for each of as many users, and wakes the servers.
fn queue(store: &Store, ports: [u16; SERVERS], kind: &str, count: usize) -> Result<(), String> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|err| told(&err))?
        .as_millis();
    let (mut users, mut letters) = (String::new(), String::new());
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        let name = format!("{kind}{number}");
        let address = format!("{name}@example.com");
        let _ = write!(
            users,
            "{comma}('{name}', '{name}', '{name}', {now}, '{address}', '{address}', {now}, '{{}}')"
        );
        let _ = write!(letters, "{comma}('{name}', 'reset', '{name}', '', 'en', '', {now}, {now})");
    }
    store.rows(1, &format!("INSERT INTO user (id, username, canonical_username, created_at, email, canonical_email, email_verified_at, attributes) VALUES {users}"))?;
    store.rows(1, &format!("INSERT INTO mail (id, kind, user_id, address, language, detail, created_at, due_at) VALUES {letters}"))?;
    let mut browser = Browser::new(ports);
    for server in 0..SERVERS {
        // A server that was killed does not answer.
        let _ = browser.ask(server, ("POST", "/forgot"), ("", "name=unknown"), false);
    }
    Ok(())
}

/// Waits until this many mails were sent.
fn wait_for(folder: &Path, count: usize) -> Result<(), String> {
    let began = Instant::now();
    while sent(folder).values().sum::<usize>() < count {
        if began.elapsed() > STILL {
            return Err("no mail is sent".to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// How often each mail was sent.
fn sent(folder: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(mails(folder)).expect("the folder is there").flatten() {
        let text = fs::read_to_string(file.path()).expect("it was moved there whole");
        let id = text.lines().find_map(|it| it.strip_prefix("Message-ID: <"));
        let id = id.and_then(|it| it.split('@').next()).unwrap_or_default();
        *found.entry(id.to_owned()).or_default() += 1;
    }
    found
}

/// Waits until no mail waits; how many had to wait for the lease of a server that no longer sends them.
fn drain(folder: &Path, store: &Store) -> Result<usize, String> {
    let waiting = || -> Result<usize, String> {
        let rows =
            store.rows(2.min(store.nodes().len()), "SELECT CAST(COUNT(*) AS CHAR) FROM mail")?;
        rows[0][0].parse().map_err(|err| told(&err))
    };
    let (mut last, mut since, mut waited) = (0, Instant::now(), 0);
    loop {
        let left = waiting()?;
        if left == 0 {
            return Ok(waited);
        }
        let done = sent(folder).values().sum::<usize>();
        if done != last {
            (last, since) = (done, Instant::now());
        }
        if since.elapsed() > STILL {
            if waited > 0 {
                return Err(format!("{left} mails are not sent"));
            }
            // Ten minutes pass.
            waited = left;
            store.rows(1, "UPDATE mail SET lease_until = 0")?;
            since = Instant::now();
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn judge(
    watch: &Watch,
    folder: &Path,
    (count, allowed): (usize, usize),
    what: &str,
    waited: usize,
) {
    let sent = sent(folder);
    let twice: Vec<_> = sent.iter().filter(|(_, times)| **times > 1).collect();
    println!(
        "{:6.1} s  {what}: of {count} mails {} were sent, {} of them twice, {waited} when a lease had ended",
        watch.now().as_secs_f64(),
        sent.len(),
        twice.len()
    );
    if sent.len() != count {
        watch.breach(Breach::Lost, format!("{} of {count} mails were sent", sent.len()));
    }
    if twice.len() > allowed {
        watch.breach(Breach::SentTwice, format!("{twice:?}"));
    }
}

fn told(err: &impl ToString) -> String {
    err.to_string()
}
