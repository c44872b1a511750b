use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
};
use live_vlm_backends::discover;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;
use vlm_client::{ApiKey, Error, ErrorKind};

use super::body::{self, Unread};
use crate::{
    app::App,
    refusal::{Code, Refusal},
    requester::Requester,
};

/// An address, a key, and JSON around them.
const MAX_BODY: usize = 16 << 10;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(8);

/// Whose models. Has no `Debug`: it may carry a key.
#[derive(Deserialize)]
pub(super) struct ModelsRequest {
    #[serde(default)]
    api_base: String,
    #[serde(default)]
    api_key: String,
}

#[derive(Debug, Serialize)]
struct ListedModel {
    id: String,
    name: String,
    current: bool,
    vision: bool,
}

/// `GET /models`: of the server's VLM, or of the one at `api_base`, which never gets our key.
pub(super) async fn models(
    State(app): State<App>,
    requester: Requester,
    query: Result<Query<ModelsRequest>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(asked) = query?;
    list(&app, &requester, asked).await
}

/// `POST /models`: the same, of a key that is in no address, as those are logged on the way.
pub(super) async fn models_of(
    State(app): State<App>,
    requester: Requester,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let body = body::whole(body, MAX_BODY, BODY_TIMEOUT).await.map_err(|unread| match unread {
        Unread::Late => {
            Refusal::new(Code::BadJson, "the request did not arrive in time; send it again")
        }
        Unread::TooLarge => {
            Refusal::new(Code::TooLarge, format!("the request may have at most {MAX_BODY} bytes"))
        }
    })?;
    list(&app, &requester, ModelsRequest::parse(&body)?).await
}

impl ModelsRequest {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        // Not the error itself, which could show a piece of the key.
        let body: Value = serde_json::from_slice(body).map_err(|_| {
            Refusal::new(Code::BadJson, "this is not JSON; send {api_base, api_key}")
        })?;
        let text = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(Refusal::field(name, "a text")),
        };
        Ok(Self { api_base: text("api_base")?, api_key: text("api_key")? })
    }
}

async fn list(
    app: &App,
    requester: &Requester,
    asked: ModelsRequest,
) -> Result<Json<Value>, Refusal> {
    let user = &requester.user;
    let rules = app.live.now().all_rules.rules_for(&user.id, &user.groups);
    let endpoint = if asked.api_base.trim().is_empty() {
        app.defaults.endpoint.clone()
    } else {
        let (own, key) = (&app.own_endpoints, ApiKey::parse(&asked.api_key)?);
        own.endpoint(&asked.api_base, key, rules.own_api_base)?
    };
    let at_pool = app.dispatcher.pooled(endpoint.base()).is_some();
    // With a key of one's own it is another account at the same server.
    let own = at_pool && (!endpoint.has_key() || asked.api_base.trim().is_empty());
    let listed = if own {
        // The pool's servers are asked by all together, and at most once a second.
        app.dispatcher.models(TIMEOUT).await
    } else {
        let place = timeout(TIMEOUT, app.listings.place(requester.party())).await;
        let Ok(Some(_place)) = place else {
            let error = "too many lists of models are being read; try again";
            return Ok(Json(json!({"models": [], "error": error})));
        };
        app.client.models(&endpoint, TIMEOUT).await
    };
    let listed = match listed {
        Ok(models) => models,
        Err(error @ Error { kind: ErrorKind::Forbidden { .. }, .. }) => {
            return Err(Refusal::not_allowed(&error));
        }
        Err(error) => return Ok(Json(json!({"models": [], "error": error.to_string()}))),
    };
    let models: Vec<ListedModel> = listed
        .into_iter()
        .filter(|model| !at_pool || rules.allows_model(&model.id))
        .map(|model| ListedModel {
            name: model.id.clone(),
            current: own && model.id == app.defaults.model,
            vision: model.vision,
            id: model.id,
        })
        .collect();
    Ok(Json(json!({"models": models, "api_base": endpoint.base()})))
}

/// `GET /detect-services`: the VLM servers on this host, or where one can be had.
pub(super) async fn detect_services(State(app): State<App>) -> Json<Value> {
    let found = discover::detect(&app.client).await;
    app.own_endpoints.found(&found);
    let mut detected: Vec<Value> = found.iter().map(|found| json!(found.service)).collect();
    if detected.is_empty() {
        detected.push(json!({
            "name": "NVIDIA API Catalog",
            "url": "https://integrate.api.nvidia.com/v1",
            "port": null,
            "path": null,
            "requires_key": true,
        }));
    }
    let default = detected[0].clone();
    Json(json!({"detected": detected, "default": default}))
}
