//! The same system on axum and axum-login with SQLite: sign-up, sign-in and profile, as a developer would
//! write it by their documentation. `PORT`, `DATABASE` and `PAGE` say where, on what, and with which
//! page. Its SQLite settings are vestibule's.

use std::str::FromStr;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId};
use serde::Deserialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{FromRow, SqlitePool};
use time::Duration;
use tokio::task;
use tower_sessions::{Expiry, SessionManagerLayer};
use tower_sessions_sqlx_store::SqliteStore;

#[derive(Clone, Debug, FromRow)]
struct User {
    id: i64,
    username: String,
    password: String,
}

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.password.as_bytes()
    }
}

#[derive(Clone, Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[derive(Clone)]
struct Backend {
    pool: SqlitePool,
    page: &'static str,
}

impl AuthnBackend for Backend {
    type User = User;
    type Credentials = Credentials;
    type Error = sqlx::Error;

    async fn authenticate(&self, typed: Credentials) -> Result<Option<User>, sqlx::Error> {
        let user: Option<User> = sqlx::query_as("SELECT * FROM user WHERE username = ?")
            .bind(typed.username)
            .fetch_optional(&self.pool)
            .await?;
        let check = move || {
            user.filter(|user| {
                password_auth::verify_password(&typed.password, &user.password).is_ok()
            })
        };
        Ok(task::spawn_blocking(check).await.expect("a check ends"))
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<User>, sqlx::Error> {
        sqlx::query_as("SELECT * FROM user WHERE id = ?").bind(id).fetch_optional(&self.pool).await
    }
}

async fn profile(session: AuthSession<Backend>) -> Response {
    match session.user {
        Some(user) => {
            let page = session.backend.page.replace("%%user_id%%", &user.id.to_string());
            Html(page.replace("%%username%%", &user.username)).into_response()
        }
        None => Redirect::to("/login").into_response(),
    }
}

async fn sign_in(mut session: AuthSession<Backend>, Form(typed): Form<Credentials>) -> Response {
    match session.authenticate(typed).await {
        Ok(Some(user)) => enter(&mut session, &user).await,
        Ok(None) => (StatusCode::BAD_REQUEST, "Incorrect username or password").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn sign_up(
    State(backend): State<Backend>,
    mut session: AuthSession<Backend>,
    Form(typed): Form<Credentials>,
) -> Response {
    let hash = task::spawn_blocking(move || password_auth::generate_hash(&typed.password)).await;
    let made = sqlx::query_as("INSERT INTO user (username, password) VALUES (?, ?) RETURNING *")
        .bind(typed.username)
        .bind(hash.expect("a hash ends"))
        .fetch_one(&backend.pool)
        .await;
    match made {
        Ok(user) => enter(&mut session, &user).await,
        Err(_) => (StatusCode::BAD_REQUEST, "Username already taken").into_response(),
    }
}

async fn enter(session: &mut AuthSession<Backend>, user: &User) -> Response {
    match session.login(user).await {
        Ok(()) => (StatusCode::FOUND, [("Location", "/")]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[tokio::main]
async fn main() {
    let variable = |name| std::env::var(name).expect("PORT, DATABASE and PAGE are set");
    let options = SqliteConnectOptions::from_str(&variable("DATABASE"))
        .expect("a path")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    let pool = SqlitePoolOptions::new().connect_with(options).await.expect("a database");
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS user (
           id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, password TEXT NOT NULL)",
    )
    .execute(&pool)
    .await
    .expect("a table");
    let store = SqliteStore::new(pool.clone());
    store.migrate().await.expect("a table of sessions");
    let sessions = SessionManagerLayer::new(store)
        .with_secure(false)
        .with_expiry(Expiry::OnInactivity(Duration::days(1)));
    let page = std::fs::read_to_string(variable("PAGE")).expect("a page").leak();
    let backend = Backend { pool, page };
    let app = Router::new()
        .route("/", get(profile))
        .route("/login", post(sign_in))
        .route("/signup", post(sign_up))
        .with_state(backend.clone())
        .layer(AuthManagerLayerBuilder::new(backend, sessions).build());
    let address = format!("127.0.0.1:{}", variable("PORT"));
    let listener = tokio::net::TcpListener::bind(address).await.expect("an address that is free");
    axum::serve(listener, app).await.expect("it serves");
}
