use std::borrow::Cow;
use std::sync::LazyLock;

use axum::http::{HeaderMap, StatusCode, header::COOKIE};
use axum::response::{IntoResponse, Json, Response};
use axum::{Router, routing::get};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

type OutOfOrder = (StatusCode, [(&'static str, &'static str); 1], &'static str);

const OUT_OF_ORDER: OutOfOrder =
    (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], "The sign-in is out of order");

/// Without a proxy: one of `HTTP_PROXY` would be sent the cookies of visitors.
static VESTIBULE: LazyLock<reqwest::Client> =
    LazyLock::new(|| reqwest::Client::builder().no_proxy().build().expect("a client without TLS"));

fn out_of_order(cause: impl std::fmt::Debug) -> OutOfOrder {
    eprintln!("vestibule does not say who is signed in: {cause:?}");
    OUT_OF_ORDER
}

/// Who is signed in, or `None`, with the cookies to pass on; an error if the sign-in does not answer.
async fn who_is_there(headers: &HeaderMap) -> Result<(Option<Value>, HeaderMap), OutOfOrder> {
    let auth = std::env::var("AUTH").unwrap_or("http://127.0.0.1:8080".to_owned());
    let mut request = VESTIBULE.get(format!("{auth}/session"));
    if let Some(cookie) = headers.get(COOKIE) {
        request = request.header(COOKIE, cookie);
    }
    let answer = request.send().await.map_err(out_of_order)?;
    let cookies = answer.headers().get_all("set-cookie").iter().map(|it| ("set-cookie".parse().unwrap(), it.clone()));
    let cookies = cookies.collect();
    match answer.status().as_u16() {
        200 => {
            let data: Value = answer.json().await.map_err(out_of_order)?;
            Ok((Some(data["user"].clone()), cookies))
        }
        401 => Ok((None, cookies)),
        other => Err(out_of_order(other)),
    }
}

async fn home(headers: HeaderMap) -> Result<Response, OutOfOrder> {
    let (user, cookies) = who_is_there(&headers).await?;
    let name = user.as_ref().and_then(|it| it["username"].as_str()).unwrap_or("stranger");
    Ok((cookies, format!("Hello {name}")).into_response())
}

async fn me(headers: HeaderMap) -> Result<Response, OutOfOrder> {
    let (user, cookies) = who_is_there(&headers).await?;
    Ok(match user {
        Some(user) => (cookies, Json(json!({ "name": user["username"] }))).into_response(),
        None => (StatusCode::UNAUTHORIZED, cookies, Json(json!({ "error": "not signed in" }))).into_response(),
    })
}

fn told<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
}

/// The name of the user whom the proxy names.
fn shown(headers: &HeaderMap) -> Cow<'_, str> {
    percent_decode_str(told(headers, "Remote-Name")).decode_utf8_lossy()
}

async fn private(headers: HeaderMap) -> String {
    format!("Hello {}", shown(&headers))
}

async fn admin(headers: HeaderMap) -> Result<String, StatusCode> {
    let is_admin = told(&headers, "Remote-Groups").split(',').any(|it| it == "admin");
    let name = shown(&headers);
    if is_admin { Ok(format!("Hello administrator {name}")) } else { Err(StatusCode::FORBIDDEN) }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(home))
        .route("/api/me", get(me))
        .route("/private", get(private))
        .route("/admin", get(admin));
    let port = std::env::var("PORT").unwrap_or("3000".to_owned());
    axum::serve(tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?, app).await
}
