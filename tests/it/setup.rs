//! tests/setup.sh, under a root of its own and with an apt-get that only makes links: what it installs for
//! the tests does not run, now or after the next boot.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

/// What the script calls, of the real machine.
const TOOLS: [&str; 11] =
    ["sh", "find", "sort", "comm", "mv", "rm", "mktemp", "chmod", "mkdir", "ln", "touch"];

/// What packages do as they are installed. It notes whether a service may start meanwhile.
const APT_GET: &str = r#"#!/bin/sh
[ "$1" = install ] || exit 0
etc=$SETUP_ROOT/etc
"$SETUP_ROOT/usr/sbin/policy-rc.d" nginx start || echo "$?" >"$SETUP_ROOT/refused"
mkdir -p "$etc/systemd/system/timers.target.wants" "$etc/systemd/user/default.target.wants"
ln -s /lib/systemd/system/nginx.service "$etc/systemd/system/multi-user.target.wants/nginx.service"
ln -s /lib/systemd/system/mariadb.service "$etc/systemd/system/mysql.service"
ln -s /lib/systemd/system/caddy.timer "$etc/systemd/system/timers.target.wants/caddy.timer"
ln -s /usr/lib/systemd/user/x.service "$etc/systemd/user/default.target.wants/x.service"
ln -s ../init.d/nginx "$etc/rc2.d/S01nginx"
ln -s ../init.d/nginx "$etc/rc0.d/K01nginx"
[ -z "$APT_FAILS" ] || exit 100
"#;

/// A machine on which some things are enabled, and some are masked.
fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for folder in
        ["bin", "usr/sbin", "etc/rc0.d", "etc/rc2.d", "etc/systemd/system/multi-user.target.wants"]
    {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let etc = root.join("etc");
    let wants = etc.join("systemd/system/multi-user.target.wants");
    symlink("/lib/systemd/system/ssh.service", wants.join("ssh.service")).unwrap();
    symlink("/dev/null", etc.join("systemd/system/exim4.service")).unwrap();
    symlink("../init.d/ssh", etc.join("rc2.d/S01ssh")).unwrap();
    symlink("../init.d/postgresql", etc.join("rc2.d/K01postgresql")).unwrap();
    for tool in TOOLS {
        let found = ["/usr/bin", "/bin"].map(|it| Path::new(it).join(tool));
        let real = found.into_iter().find(|it| it.exists()).unwrap_or_else(|| panic!("{tool}"));
        symlink(real, root.join("bin").join(tool)).unwrap();
    }
    script(&root.join("bin/apt-get"), APT_GET);
    script(&root.join("bin/id"), "#!/bin/sh\necho 0\n");
    folder
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn set_up(root: &Path, apt_fails: bool) -> Output {
    Command::new("sh")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup.sh"))
        .env_clear()
        .env("PATH", root.join("bin"))
        .env("SETUP_ROOT", root)
        .envs(apt_fails.then_some(("APT_FAILS", "yes")))
        .output()
        .unwrap()
}

/// Every link below `etc`, and what it leads to.
fn links(root: &Path) -> Vec<(String, String)> {
    fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if let Ok(to) = fs::read_link(&path) {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, to.to_str().unwrap().to_owned()));
            } else if path.is_dir() {
                collect(root, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(root, &root.join("etc"), &mut found);
    found.sort();
    found
}

#[test]
fn leaves_no_service_enabled_that_was_disabled_or_absent() {
    for apt_fails in [false, true] {
        let machine = machine();
        let root = machine.path();
        let before = links(root);
        let output = set_up(root, apt_fails);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), !apt_fails, "{told}");
        let mut after = links(root);
        // Links that stop a service start none.
        after.retain(|(name, _)| !["etc/rc0.d/K01nginx", "etc/rc2.d/K01nginx"].contains(&&**name));
        assert_eq!(after, before);
        assert_eq!(fs::read_to_string(root.join("refused")).unwrap(), "101\n", "it may not start");
        assert!(!root.join("usr/sbin/policy-rc.d").exists());
    }
}

#[test]
fn leaves_the_policy_of_the_machine_as_it_is() {
    let machine = machine();
    let policy = machine.path().join("usr/sbin/policy-rc.d");
    script(&policy, "#!/bin/sh\nexit 104\n");
    assert!(set_up(machine.path(), false).status.success());
    assert_eq!(fs::read_to_string(policy).unwrap(), "#!/bin/sh\nexit 104\n");
}
