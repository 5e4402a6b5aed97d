//! The configurations of reverse proxies. tests/proxies runs them; here is what they say.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use vestibule::web::{check_paths, page_paths};

use crate::binary::vestibule;

const EXAMPLE: [&str; 4] = [
    "--origin=https://auth.example.com",
    "--cookie-domain=example.com",
    "--app=https://app.example.com",
    "--upstream=http://127.0.0.1:3000",
];

const PROXIES: [&str; 3] = ["nginx", "caddy", "traefik"];

/// The example with these flags in place of its own.
fn with<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    let name = |it: &str| it.split('=').next().map(str::to_owned);
    let is_kept = |it: &&str| !flags.iter().any(|flag| name(flag) == name(it));
    EXAMPLE.into_iter().filter(is_kept).chain(flags.iter().copied()).collect()
}

fn configuration(proxy: &str, flags: &[&str]) -> String {
    let mut words = vec!["proxy-config", proxy];
    words.extend(flags);
    let output = vestibule(&words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refusal(proxy: &str, flags: &[&str]) -> String {
    let mut words = vec!["proxy-config", proxy];
    words.extend(flags);
    let output = vestibule(&words).output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]), "{flags:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn shows_in_the_documentation_what_it_prints() {
    for proxy in PROXIES.into_iter().chain(["haproxy", "apache", "envoy"]) {
        let path = format!("{}/docs/{proxy}.md", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(path).unwrap();
        let flags: Vec<_> = EXAMPLE.into_iter().chain(["--groups=staff"]).collect();
        assert!(page.contains(&configuration(proxy, &flags)), "docs/{proxy}.md is out of date");
    }
}

#[test]
fn writes_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vestibule.conf");
    let flag = format!("--output={}", path.display());
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
    refusal("nginx", &with(&["--origin=http://auth.example.com", &flag]));
    assert_eq!(names(), 0);
    let flags = with(&[&flag]);
    let told = configuration("nginx", &flags);
    assert_eq!(told, format!("{} holds the configuration for nginx\n", path.display()));
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!((&written, names(), mode()), (&configuration("nginx", &EXAMPLE), 1, 0o644));
    // What is there is replaced, with the mode that it had, and kept where the command is refused.
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    refusal("nginx", &with(&["--origin=http://auth.example.com", &flag]));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    let link = folder.path().join("enabled");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let to_link = format!("--output={}", link.display());
    configuration("nginx", &with(&["--groups=staff", &to_link]));
    assert!(std::fs::read_to_string(&path).unwrap().contains("groups=staff"));
    assert!(link.is_symlink() && mode() == 0o640 && names() == 2);
    let script = configuration("haproxy", &[&flags[..], &["--script", "--json"]].concat());
    let data: serde_json::Value = serde_json::from_str(&script).unwrap();
    assert_eq!(
        (&data["proxy"], &data["file"]),
        (&"haproxy".into(), &path.to_str().unwrap().into())
    );
    assert!(data["serve"].as_str().is_some_and(|it| it.starts_with("vestibule serve ")), "{data}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("-- Asks vestibule"));
    for (place, why) in [
        (folder.path().to_str().unwrap(), "is a folder"),
        ("/dev/null", "it is no file"),
        ("/nowhere/x.conf", "its folder is not there"),
    ] {
        let place = format!("--output={place}");
        let flags = with(&[&place]);
        let output =
            vestibule(&[&["proxy-config", "nginx"], &flags[..]].concat()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(why) && output.stdout.is_empty(), "{told}");
    }
    assert_eq!(configuration("nginx", &with(&["--output=-"])), configuration("nginx", &EXAMPLE));
}

#[test]
fn prints_the_script_that_the_configuration_loads() {
    for proxy in ["haproxy", "apache"] {
        let flags: Vec<_> = EXAMPLE.into_iter().chain(["--script"]).collect();
        let script = configuration(proxy, &flags);
        assert!(script.starts_with("-- Asks vestibule about each request"), "{script}");
        let text = configuration(proxy, &EXAMPLE);
        assert!(text.contains(&format!(
            "/etc/{}/vestibule.lua",
            if proxy == "apache" { "apache2" } else { proxy }
        )));
    }
}

#[test]
fn guards_with_the_check_of_each_other_proxy() {
    let flags = with(&[
        "--origin=https://auth.example.com/id",
        "--groups=staff",
        "--identity-header=user=X-WEBAUTH-USER",
        "--basic-auth",
    ]);
    for (proxy, parts) in [
        (
            "haproxy",
            &[
                "http-request lua.vestibule_check /id/auth/forward?cookies=filtered&groups=staff 127.0.0.1:8080 X-WEBAUTH-USER,",
                "http-request deny unless { var(txn.vestibule_passed) -m bool }\n    http-request del-header Authorization",
                "http-request del-header ^x[^a-z0-9]webauth[^a-z0-9]user$ -m reg\n",
                "http-request return status 404 if { path_beg /id/auth/ }\n",
                "http-request return status 404 if { path /id/validate }\n",
            ][..],
        ),
        (
            "apache",
            &[
                "\"VESTIBULE_CHECK=/id/auth/forward?cookies=filtered&groups=staff\"",
                "RequestHeader unset X-WEBAUTH-USER early\n",
                "RequestHeader unset X_WEBAUTH.USER early\n",
                "RequestHeader unset Authorization\n",
                "ProxyPassMatch \"^/id(/auth/|",
            ],
        ),
        (
            "envoy",
            &[
                "path_prefix: \"/id/auth/envoy/cookies=filtered&groups=staff\"",
                "- { exact: X-WEBAUTH-USER, ignore_case: true }\n",
                "X.WEBAUTH.USER,",
                "Authorization]\n",
                "match: { prefix: /id/auth/ }\n",
                "match: { path: /id/validate }\n",
                "failure_mode_allow: false",
            ],
        ),
    ] {
        let text = configuration(proxy, &flags);
        for part in parts {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}

#[test]
fn takes_every_identity_header_from_the_client_in_every_spelling() {
    let renamed = "--identity-header=user=X-WEBAUTH-USER";
    for proxy in PROXIES {
        let flags: Vec<_> = EXAMPLE.into_iter().chain([renamed]).collect();
        let text = configuration(proxy, &flags);
        for name in ["X-WEBAUTH-USER", "Remote-Id", "Remote-Name", "Remote-Groups", "Remote-Email"]
        {
            let others =
                [name.replace('-', "_"), name.replace('-', "."), name.replacen('-', "_", 1)];
            let is_other = |it: &&String| *it != name;
            match proxy {
                "nginx" => {
                    assert!(text.contains(&format!("    proxy_set_header {name} $vestibule_")));
                    for other in others.iter().filter(is_other) {
                        assert!(
                            text.contains(&format!("proxy_set_header {other} \"\";")),
                            "{other}"
                        );
                    }
                }
                "caddy" if name.starts_with("Remote-") => {
                    assert!(text.contains("request_header -Remote*\n"));
                }
                "caddy" => {
                    for other in others.iter().map(String::as_str).chain([name]) {
                        assert!(text.contains(&format!("request_header -{other}\n")), "{other}");
                    }
                }
                _ => {
                    for other in others.iter().filter(is_other) {
                        assert!(text.contains(&format!("{other}: \"\"\n")), "{other}");
                    }
                    let list = text.split("authResponseHeaders: [").nth(1).unwrap();
                    assert!(list.split(']').next().unwrap().split(", ").any(|it| it == name));
                }
            }
        }
    }
}

#[test]
fn keeps_every_check_endpoint_from_strangers() {
    for (proxy, prefix) in
        PROXIES.iter().flat_map(|it| [(*it, ""), (*it, "/auth"), (*it, "/a/b-c")])
    {
        let origin = format!("--origin=https://auth.example.com{prefix}");
        let text = configuration(proxy, &with(&[&origin]));
        let start = text.find("itself may ask for checks").unwrap();
        // The rule is the first line below the comment, and goes on to the end of its line.
        let rule = text[start..].lines().nth(1).unwrap();
        // nginx names the prefix once.
        let each = if proxy == "nginx" { "" } else { prefix };
        assert!(proxy != "nginx" || rule.contains(&format!(" ^{prefix}(/")), "{rule}");
        for path in check_paths() {
            let (path, folder) =
                (format!("{each}{path}"), format!("{each}{}", &path[..=path.rfind('/').unwrap()]));
            let ends = |place: &str, ends: &[char]| {
                rule.match_indices(place).any(|(at, _)| rule[at + place.len()..].starts_with(ends))
            };
            let is_closed = match proxy {
                "nginx" => ends(&folder, &['|', ')']) || ends(&format!("{path}$"), &['|', ')']),
                "caddy" => rule.split(' ').any(|it| it == path || it == format!("{folder}*")),
                _ => ends(&format!("`{folder}`"), &[')']) || ends(&format!("`{path}`"), &[')']),
            };
            assert!(is_closed, "{proxy} leaves {path} open: {rule}");
        }
    }
}

#[test]
fn asks_below_the_path_of_a_sign_in_on_a_host_of_its_own() {
    for (proxy, check) in
        [("nginx", "/auth/nginx"), ("caddy", "/auth/forward"), ("traefik", "/auth/forward")]
    {
        let text = configuration(proxy, &with(&["--origin=https://auth.example.com/id"]));
        assert!(text.contains("vestibule serve --origin https://auth.example.com/id "), "{text}");
        let asked = match proxy {
            "nginx" => format!("proxy_pass http://vestibule/id{check};"),
            "caddy" => format!("uri /id{check}?\n"),
            _ => format!("address: \"http://127.0.0.1:8080/id{check}?"),
        };
        assert!(text.contains(&asked), "{text}");
        assert!(
            !text.contains("example.com/id {") && !text.contains("`auth.example.com/id`"),
            "{text}"
        );
        assert!(!text.contains("strip"), "the path is passed on whole: {text}");
    }
}

#[test]
fn takes_the_names_that_users_see_as_serve_does() {
    let flags =
        |app| ["--origin=https://auth.example.com", app, "--upstream=http://127.0.0.1:3000"];
    let domain = "--cookie-domain=example.com";
    let named = [&flags("--app=Wiki=https://wiki.example.com")[..], &[domain]].concat();
    let bare = [&flags("--app=https://wiki.example.com")[..], &[domain]].concat();
    assert_eq!(configuration("nginx", &named), configuration("nginx", &bare));
}

#[test]
fn guards_several_apps_and_tells_who_may_see_them() {
    let flags = [
        "--origin=https://auth.example.com:8443",
        "--cookie-domain=example.com",
        "--app=https://app.example.com:8443,https://wiki.example.com",
        "--upstream=http://127.0.0.1:3000,http://127.0.0.1:3001",
        "--listen=unix:/run/vestibule/http.sock",
        "--groups=staff,admin",
        "--users=anna b",
        "--basic-auth",
    ];
    let nginx = configuration("nginx", &flags);
    for part in [
        "server unix:/run/vestibule/http.sock;",
        "listen 8443 ssl;",
        "server_name wiki.example.com;",
        "proxy_pass http://127.0.0.1:3001;",
        "/auth/nginx?groups=admin%2Cstaff&users=anna+b;",
        "proxy_set_header Authorization $http_authorization;",
        "proxy_set_header Authorization \"\";",
        "--listen unix:/run/vestibule/http.sock --basic-auth\n",
    ] {
        assert!(nginx.contains(part), "{part} is not in {nginx}");
    }
    assert!(
        !nginx.contains("listen 80;"),
        "it redirects no client from port 80 to another than 443"
    );
    let caddy = configuration("caddy", &flags);
    for part in
        ["forward_auth unix//run/vestibule/http.sock {", "/auth/forward?groups=admin%2Cstaff&"]
    {
        assert!(caddy.contains(part), "{part} is not in {caddy}");
    }
}

#[test]
fn demands_a_second_factor_at_every_check_and_tells_nginx_scripts_from_browsers() {
    for (proxy, parts) in [
        (
            "nginx",
            &[
                "/auth/nginx?second_factor=required;",
                "/auth/denied?second_factor=required;",
                "proxy_set_header Accept $http_accept;\n        proxy_set_header Sec-Fetch-Mode",
                "proxy_set_header Upgrade $http_upgrade;\n        proxy_set_header X-Requested-With",
            ][..],
        ),
        ("caddy", &["uri /auth/forward?second_factor=required\n"]),
        ("traefik", &["/auth/forward?cookies=filtered&second_factor=required\""]),
        ("haproxy", &["/auth/forward?cookies=filtered&second_factor=required 127"]),
        ("apache", &["VESTIBULE_CHECK=/auth/forward?cookies=filtered&second_factor=required\""]),
        ("envoy", &["/auth/envoy/cookies=filtered&second_factor=required\""]),
    ] {
        let text = configuration(proxy, &with(&["--second-factor"]));
        for part in parts.iter().chain(&["# Every user with a second factor is admitted, and"]) {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let text = configuration(proxy, &with(&["--second-factor", "--groups=staff"]));
        assert!(text.contains("groups=staff&second_factor=required"), "{text}");
        assert!(!text.contains("# Every user"), "{text}");
        assert!(!configuration(proxy, &EXAMPLE).contains("second_factor"));
    }
    let shared = ["--origin=https://example.com/auth", "--same-host", "--second-factor"];
    for (proxy, check) in [
        ("nginx", "/auth/auth/nginx?renew=$vestibule_sends&second_factor=required;"),
        ("caddy", "uri /auth/auth/forward?renew=302&second_factor=required\n"),
        ("traefik", "/auth/auth/forward?renew=302&second_factor=required\""),
        ("haproxy", "/auth/auth/forward?renew=302&second_factor=required 127"),
    ] {
        let text = configuration(proxy, &shared);
        assert!(text.contains(check), "{check} is not in {text}");
    }
    let text = configuration("nginx", &with(&["--second-factor", "--basic-auth"]));
    for name in ["Accept", "Sec-Fetch-Mode", "Upgrade", "X-Requested-With", "Authorization"] {
        let set = format!("        proxy_set_header {name} $http_");
        let check = text.split("location = /_vestibule {").nth(1).unwrap();
        let check = check.split("    }\n").next().unwrap();
        assert_eq!(check.matches(&set).count(), 1, "{name} in {check}");
    }
}

#[test]
fn leaves_challenges_of_certificate_authorities_to_a_folder_before_anything() {
    let text = configuration("nginx", &EXAMPLE);
    let challenge =
        "    location ^~ /.well-known/acme-challenge/ {\n        auth_request off;\n        root ";
    assert_eq!(text.matches(&format!("{challenge}/var/www/html;")).count(), 3, "{text}");
    let text = configuration("nginx", &with(&["--acme-root=/srv/acme"]));
    assert_eq!(text.matches(&format!("{challenge}/srv/acme;")).count(), 3, "{text}");
    let text = shared("nginx", &["--origin=https://example.com", "--acme-root=/srv/acme"]);
    assert_eq!(text.matches(&format!("{challenge}/srv/acme;")).count(), 2, "{text}");
    for proxy in ["caddy", "traefik"] {
        let text = refusal(proxy, &with(&["--acme-root=/srv/acme"]));
        assert!(text.contains("by itself"), "{text}");
    }
}

#[test]
fn leads_from_http_to_https_where_port_80_belongs_to_all_hosts() {
    let text = configuration("caddy", &EXAMPLE);
    assert!(text.contains(
        "\nhttp://app.example.com, http://auth.example.com {\n\tredir https://{host}{uri} 308\n}\n"
    ));
    for proxy in ["caddy", "nginx"] {
        let text = configuration(proxy, &with(&["--app=https://app.example.com:8443"]));
        assert!(!text.contains("308"), "{text}");
    }
}

#[test]
fn asks_at_the_first_of_several_addresses_that_the_proxy_can_ask() {
    let listen = "--listen=unix:/run/vestibule.sock,127.0.0.1:8082,127.0.0.1:8083";
    for (proxy, asked) in
        [("nginx", "server unix:/run/vestibule.sock;"), ("traefik", "http://127.0.0.1:8082/auth")]
    {
        let text = configuration(proxy, &with(&[listen]));
        assert!(text.contains(asked), "{text}");
        let told = "--listen unix:/run/vestibule.sock,127.0.0.1:8082,127.0.0.1:8083\n";
        assert!(text.contains(told), "the command that serves it: {text}");
    }
}

#[test]
fn listens_without_tls_where_that_ends_before_the_proxy() {
    let flags = with(&["--tls-before=10.0.0.0/8,192.0.2.7"]);
    for (proxy, parts) in [
        (
            "nginx",
            &[
                "    listen 80;\n",
                "set_real_ip_from 10.0.0.0/8;\n    set_real_ip_from 192.0.2.7;\n",
                "X-Original-URL https://$http_host$request_uri;",
                "X-Forwarded-Proto https;",
                "--trusted-proxy 127.0.0.1\n",
            ][..],
        ),
        (
            "caddy",
            &[
                "\nhttp://app.example.com {",
                "\nhttp://auth.example.com {",
                "trusted_proxies 10.0.0.0/8 192.0.2.7\n",
                "header_up X-Forwarded-Proto https\n",
                "--trusted-proxy 127.0.0.1,10.0.0.0/8,192.0.2.7\n",
            ],
        ),
        (
            "traefik",
            &[
                "entryPoints: [web]\n",
                "trustedIPs=10.0.0.0/8,192.0.2.7\n",
                "X-Forwarded-Proto: https\n",
                "trustForwardHeader: true\n",
                "--trusted-proxy 127.0.0.1,10.0.0.0/8,192.0.2.7\n",
            ],
        ),
    ] {
        let text = configuration(proxy, &flags);
        for part in parts {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        for none in [" ssl", "443", "websecure", "tls:", "acme-challenge", "\nhttps://"] {
            assert!(!text.contains(none), "{none} is in {text}");
        }
        let near: Vec<_> = EXAMPLE.into_iter().chain(["--tls-before"]).collect();
        assert!(configuration(proxy, &near).contains("127.0.0.1"), "without a value: this machine");
    }
    for other in ["--certificate=/c.pem", "--acme-root=/srv/acme"] {
        let flags = with(&["--tls-before", other, "--certificate-key=/k.pem"]);
        assert!(refusal("nginx", &flags).contains(", not both"), "{other}");
    }
}

#[test]
fn reads_the_settings_that_serve_has_from_the_same_environment() {
    let output = vestibule(&["proxy-config", "caddy"])
        .env("VESTIBULE_ORIGIN", "https://auth.example.com")
        .env("VESTIBULE_COOKIE_DOMAIN", "example.com")
        .env("VESTIBULE_APP", "https://app.example.com")
        .env("VESTIBULE_LISTEN", "127.0.0.1:9000")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("https://app.example.com {") && text.contains("forward_auth 127.0.0.1:9000")
    );
}

#[test]
fn says_what_guarded_paths_need() {
    let flags = ["proxy-config", "nginx", "--origin=https://example.com", "--guard=/admin"];
    for app in [None, Some("--app=https://example.com:8443")] {
        let output = vestibule(&[&flags[..], app.as_slice()].concat()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("vestibule: --guard needs --same-host"), "{text}");
        assert_eq!((text.lines().count(), output.status.code()), (1, Some(2)));
    }
}

#[test]
fn prints_nothing_that_could_not_work() {
    for (proxy, flags, advice) in [
        ("nginx", &["--origin=http://auth.example.com"][..], "https"),
        ("nginx", &["--app=https://app.example.org"], "--cookie-domain"),
        ("nginx", &["--upstream=http://127.0.0.1:1,http://127.0.0.1:2"], "one for each"),
        ("nginx", &["--app=app.example.com"], "write it as in https://app.example.com"),
        ("nginx", &["--upstream=127.0.0.1:3000"], "http://127.0.0.1:3000"),
        ("nginx", &["--upstream=http://127.0.0.1:3000/x;y"], "http://127.0.0.1:3000"),
        ("nginx", &["--certificate=cert.pem", "--certificate-key=/k.pem"], "whole path"),
        ("nginx", &["--certificate=/c.pem"], "--certificate-key"),
        ("nginx", &["--groups=Staff"], "a-z"),
        ("nginx", &["--groups="], "--groups"),
        ("nginx", &["--groups=,"], "--groups"),
        ("nginx", &["--users= , "], "--users"),
        ("nginx", &["--app=https://auth.example.com"], "--same-host"),
        ("nginx", &["--guard=/admin"], "--same-host"),
        ("nginx", &["--same-host"], ", not both"),
        (
            "nginx",
            &[
                "--app=https://a.example.com,https://a.example.com",
                "--upstream=http://[::1]:1,http://[::1]:2",
            ],
            "twice",
        ),
        ("nginx", &["--app=https://a;b.example.com"], "example.com"),
        ("nginx", &["--listen=unix:/run/x y;z.sock"], "without spaces"),
        ("traefik", &["--certificate=/c.pem", "--certificate-key=/k.pem"], "Traefik"),
        ("traefik", &["--listen=unix:/run/x.sock"], "Traefik"),
        ("lighttpd", &[], "nginx"),
        ("nginx", &["--script"], "no script"),
        ("apache", &["--listen=unix:/run/x.sock"], "Apache"),
        ("envoy", &["--listen=unix:/run/x.sock"], "Envoy"),
        ("envoy", &["--tls-before"], "--tls-before"),
        ("haproxy", &["--acme-root=/srv/acme"], "--acme-root"),
        ("haproxy", &["--certificate=/c.pem", "--certificate-key=/k.pem"], "into one"),
        ("haproxy", &["--app=https://app.example.com:8443"], "another port"),
        ("envoy", &["--app=https://app.example.com:8443"], "another port"),
    ] {
        let text = refusal(proxy, &with(flags));
        assert!(text.contains(advice), "{flags:?}: {text}");
    }
}

const SHARED: [&str; 2] = ["--same-host", "--upstream=http://127.0.0.1:3000"];

fn shared(proxy: &str, flags: &[&str]) -> String {
    let flags: Vec<_> = SHARED.into_iter().chain(flags.iter().copied()).collect();
    configuration(proxy, &flags)
}

#[test]
fn leaves_what_is_not_its_own_on_a_shared_host_to_the_app() {
    for proxy in PROXIES {
        let whole = shared(proxy, &["--origin=https://example.com"]);
        for own in ["login", "signup", "logout", "reset", "account", "session"] {
            assert!(whole.contains(own), "{proxy}: {own}");
        }
        let own = whole.lines().find(|it| it.contains("|login|")).unwrap();
        assert!(
            !own.contains("healthz") && !own.contains("whoami") && !own.contains("oauth2"),
            "{own}"
        );
        let below = shared(proxy, &["--origin=https://example.com/auth"]);
        let own = "^/(auth|\\.well-known/change-password)(/|$)";
        assert!(below.contains(own) && !below.contains("|login|"), "{below}");
        assert!(below.contains("/auth/auth/"), "the checks are below the prefix as well");
    }
}

#[test]
fn guards_the_whole_app_on_a_shared_host_unless_paths_are_named() {
    for proxy in PROXIES {
        let origin = "--origin=https://example.com";
        let whole = shared(proxy, &[origin]);
        assert!(!whole.to_lowercase().contains("open:"), "{whole}");
        let part = shared(proxy, &[origin, "--guard=/admin/,/team.x"]);
        assert!(
            part.contains("^/(admin(/|$)|team\\.x)") && part.to_lowercase().contains("open:"),
            "{part}"
        );
    }
    assert!(
        shared("haproxy", &["--origin=https://example.com", "--guard=/Admin/"])
            .contains(" ^/(admin(/|$))\x20}")
    );
    let two =
        ["--origin=https://example.com", "--same-host", "--upstream=http://[::1]:1,http://[::1]:2"];
    assert!(refusal("nginx", &two).contains("one app"));
}

/// What is refused of these paths, for a sign-in at this address.
fn refused_guard(origin: &str, guard: &str) -> String {
    let flags = [&format!("--origin={origin}"), "--same-host", &format!("--guard={guard}")];
    refusal("nginx", &flags)
}

#[test]
fn says_how_a_guarded_path_is_written() {
    for (bad, advice) in [
        ("admin", "begin each path with a slash"),
        ("", "begin each path with a slash"),
        ("/admin,", "begin each path with a slash"),
        ("https://example.com/admin", "begin each path with a slash"),
        ("/admin?tab=1", "leave out what begins with ? or #"),
        ("/admin#users", "leave out what begins with ? or #"),
        ("/admin;v=1", "leave out the ;"),
        ("/admin/..", "without . and .."),
        ("/../x", "without . and .."),
        ("/a/./b", "without . and .."),
        ("/a//b", "single slashes"),
        ("//", "single slashes"),
        ("/a b", "letters, digits and ._~-"),
        ("/a(b|c)", "it is no pattern"),
        ("/admin/*", "it is no pattern"),
        ("^/admin", "begin each path with a slash"),
        ("/[a-z]+", "it is no pattern"),
        ("/a$", "it is no pattern"),
        ("/a\\d", "it is no pattern"),
        ("/%61dmin", "letters, digits and ._~-"),
        ("/ä", "letters, digits and ._~-"),
    ] {
        let text = refused_guard("https://example.com", bad);
        assert!(text.contains(advice), "{bad}: {text}");
    }
    for twice in ["/admin,/admin", "/admin,/b,/Admin", "/admin,/admin/"] {
        let text = refused_guard("https://example.com", twice);
        assert!(text.contains("one path twice; leave one out"), "{twice}: {text}");
    }
}

#[test]
fn refuses_to_guard_what_the_sign_in_answers() {
    let (root, below) = ("https://example.com", "https://example.com/auth");
    for (origin, guard, own, advice) in [
        (
            root,
            "/login",
            "/login",
            "leave it out, or give the sign-in a path of its own, as in --origin https://example.com/auth (VESTIBULE_ORIGIN)\n",
        ),
        (root, "/admin,/Login/", "/login", "leave it out"),
        (root, "/account/tokens", "/account", "leave it out"),
        (root, "/session/", "/session", "leave it out"),
        (root, "/style.css", "/style.css", "leave it out"),
        (root, "/.well-known/change-password", "/.well-known/change-password", "leave it out"),
        (root, "/log", "/login", "write /log/ for /log and what is below it alone"),
        (root, "/ACC", "/account", "write /ACC/ for /ACC"),
        (
            root,
            "/.well-known",
            "/.well-known/change-password",
            "name the paths below /.well-known one by one",
        ),
        (
            root,
            "/.well-known/",
            "/.well-known/change-password",
            "name the paths below /.well-known one by one",
        ),
        (
            below,
            "/auth",
            "/auth",
            "leave it out, or give the sign-in another path with --origin than /auth (VESTIBULE_ORIGIN)\n",
        ),
        (below, "/Auth/x", "/auth", "leave it out"),
        (below, "/au", "/auth", "write /au/ for /au"),
        ("https://example.com/a/b", "/a", "/a/b", "name the paths below /a one by one"),
    ] {
        let text = refused_guard(origin, guard);
        assert!(
            text.starts_with("vestibule: --guard ") && text.contains(advice),
            "{guard}: {text}"
        );
        assert!(
            text.contains(&format!(" {own} ")) || text.contains(&format!(" {own},")),
            "{guard}: {text}"
        );
    }
    for (origin, guard) in [
        (root, "/"),
        (root, "/loginfo,/accounts/x,/s/,/log/,/stylesheets,/.well-known/x"),
        (below, "/login,/account,/authors,/a/,/session"),
    ] {
        shared("nginx", &[&format!("--origin={origin}"), &format!("--guard={guard}")]);
    }
}

#[test]
fn names_in_the_guide_what_the_sign_in_answers_on_the_host_of_an_app() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/your-own-app.md"));
    let text = text.unwrap();
    let is_theirs =
        |line: &&str| line.contains(" | vestibule |") || line.contains(" | vestibule: ");
    let rows: Vec<_> = text.lines().filter(is_theirs).collect();
    assert_eq!(rows.len(), 2);
    let named = rows.concat();
    for path in page_paths() {
        assert!(named.contains(&format!("`{path}`")), "{path} is not in docs/your-own-app.md");
        assert!(
            shared("nginx", &["--origin=https://example.com"])
                .contains(&path[1..].replace('.', "\\."))
        );
    }
    assert!(page_paths().any(|it| it == "/forgot"), "pages of some sites as well");
}
