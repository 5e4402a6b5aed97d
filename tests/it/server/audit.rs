//! The audit trail: what it keeps of one user, whatever others do.

use std::path::Path;

use serde_json::Value;

use crate::binary::{Binary, vestibule};

/// What `vestibule audit` shows of a user, or of all.
fn trail(folder: &Path, user: Option<&str>) -> Vec<Value> {
    let database = folder.join("test.db");
    let mut command = vestibule(&["audit", "--json", "--database", database.to_str().unwrap()]);
    let output = command.args(user.map(|name| format!("--user={name}"))).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn count(trail: &[Value], event: &str) -> usize {
    trail.iter().filter(|it| it["event"] == event).count()
}

/// How many records of this event were left out, as the trail tells.
fn left_out(trail: &[Value], event: &str) -> usize {
    let of = |it: &Value| {
        let detail = it["detail"].as_str().unwrap();
        let records = detail.strip_prefix(&format!("of={event} records="))?;
        (it["event"] == "audit_limited").then(|| records.parse::<usize>().unwrap())
    };
    trail.iter().filter_map(of).sum()
}

#[test]
fn shows_what_was_done_with_an_account_however_much_another_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--basic-auth"]);
    let [anna, bobo] = ["anna", "bobo"].map(|name| server.sign_up(name));
    let make = |cookie: &str| {
        let answer = server.post("/account/tokens", "name=backup&days=365", Some(cookie));
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    // As cheap as can be.
    let fail = |cookie: &str| server.post("/account/tokens", "name=&days=1", Some(cookie)).status;
    assert!((0..300).all(|_| fail(&anna) == 400));
    (0..110).for_each(|_| {
        make(&anna);
        let page = server.get("/account/tokens", Some(&anna)).body;
        let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
        let handle = rest.split('"').next().unwrap();
        server.post("/account/tokens/revoke", &format!("token={handle}"), Some(&anna));
    });
    make(&bobo);
    assert!((0..3).all(|_| fail(&bobo) == 400));
    server.post("/account/sessions/end-others", "", Some(&bobo));
    let other = server.post("/login", "username=bobo&password=correct+horse", None);
    assert_eq!(other.status, 302);
    server.post("/account/sessions/end-others", "", Some(&bobo));
    assert_eq!(server.post("/login", "username=bobo&password=wrong", None).status, 400);
    server.stop();
    let of_bobo = trail(folder.path(), Some("bobo"));
    let events: Vec<_> = of_bobo.iter().map(|it| it["event"].as_str().unwrap()).collect();
    let fails = ["token_make_fail"; 3];
    let expected =
        [&["signup_ok", "token_make"][..], &fails, &["login_ok", "session_end"]].concat();
    assert_eq!(events, [&expected[..], &["login_fail"]].concat());
    let of_anna = trail(folder.path(), Some("anna"));
    assert_eq!(count(&of_anna, "token_make"), 110);
    assert_eq!(count(&of_anna, "token_revoke"), 110);
    let kept = count(&of_anna, "token_make_fail");
    // The minute may have ended in between.
    assert!((100..=200).contains(&kept), "{kept}");
    assert_eq!(kept + left_out(&of_anna, "token_make_fail"), 300);
}
