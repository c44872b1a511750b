use std::time::Duration;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vlm_client::{ApiKey, Endpoint};

use super::App;
use crate::{discover, refusal::Refusal};

const TIMEOUT: Duration = Duration::from_secs(8);

/// Of `GET /models`. Has no `Debug`: it may carry a key.
#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    api_base: String,
    #[serde(default)]
    api_key: String,
}

#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    name: String,
    current: bool,
    vision: bool,
}

/// `GET /models`: of the server's VLM, or of the one at `api_base`, which never gets our key.
pub(super) async fn models(
    State(app): State<App>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(which) = which?;
    let defaults = &app.sessions.config().defaults;
    let endpoint = if which.api_base.trim().is_empty() {
        defaults.endpoint.clone()
    } else {
        Endpoint::new(&which.api_base, ApiKey::new(&which.api_key))?
    };
    let own = endpoint.base() == defaults.endpoint.base();
    let listed = match app.client.models(&endpoint, TIMEOUT).await {
        Ok(models) => models,
        Err(error) => return Ok(Json(json!({"models": [], "error": error.to_string()}))),
    };
    let models: Vec<Listed> = listed
        .into_iter()
        .map(|model| Listed {
            name: model.id.clone(),
            current: own && model.id == defaults.model,
            vision: model.vision,
            id: model.id,
        })
        .collect();
    Ok(Json(json!({"models": models, "api_base": endpoint.base()})))
}

/// `GET /detect-services`: the VLM servers on this host, or where one can be had.
pub(super) async fn detect_services(State(app): State<App>) -> Json<Value> {
    let mut detected: Vec<Value> =
        discover::detect(&app.client).await.into_iter().map(|found| json!(found.service)).collect();
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
