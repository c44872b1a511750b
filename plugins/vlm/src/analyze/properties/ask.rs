//! Whom to ask, and what.

use std::{path::Path, sync::Arc};

use gst::{glib, prelude::*};
use vlm_client::{ApiKey, Authority, ExtraBody, ExtraHeaders};

use super::{
    super::settings::{self, ErrorPolicy, Written},
    Effect, Parsed, Property, nanos, replace, text, time,
};
use gst_vlm_structured::Schema;

pub(super) fn properties() -> Vec<Property> {
    vec![
        Property {
            spec: glib::ParamSpecString::builder("api-base")
                .nick("API base")
                .blurb(
                    "Base address of the OpenAI-compatible VLM server (environment: \
                     VLM_API_BASE). Setting another server drops key and headers, so set those \
                     afterwards",
                )
                .default_value(settings::DEFAULT_API_BASE)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                let api_base = text(value);
                let same = settings.api_base == api_base;
                match settings.set_api_base(api_base) {
                    Some(said) => Effect::Dropped(said),
                    None if same => Effect::NextQuestion,
                    None => Effect::Question,
                }
            },
            get: Some(|settings| settings.api_base.to_value()),
        },
        Property {
            spec: glib::ParamSpecString::builder("api-key")
                .nick("API key")
                .blurb(
                    "Key for the server at api-base; sent to no other and never read back \
                     (environment: VLM_API_KEY)",
                )
                .write_only()
                .mutable_playing()
                .build(),
            set: |settings, value| {
                let key = match ApiKey::parse(&text(value)) {
                    Ok(key) => key,
                    Err(error) => return Effect::Refused(error.to_string()),
                };
                let same = settings.api_key == key;
                settings.set_api_key(key);
                if same { Effect::NextQuestion } else { Effect::Question }
            },
            get: None,
        },
        Property {
            spec: glib::ParamSpecString::builder("model")
                .nick("Model")
                .blurb(
                    "Model to ask; empty = the first vision model that the server lists \
                     (environment: VLM_MODEL)",
                )
                .default_value("")
                .mutable_playing()
                .build(),
            set: |settings, value| replace(&mut settings.model, text(value)),
            get: Some(|settings| settings.model.to_value()),
        },
        Property {
            spec: glib::ParamSpecString::builder("prompt")
                .nick("Prompt")
                .blurb("The question about each sample; a change cancels the question in flight")
                .default_value(settings::DEFAULT_PROMPT)
                .mutable_playing()
                .build(),
            set: |settings, value| replace(&mut settings.prompt, text(value)),
            get: Some(|settings| settings.prompt.to_value()),
        },
        Property {
            spec: glib::ParamSpecString::builder("system-prompt")
                .nick("System prompt")
                .blurb("Instructions before the prompt; empty = none")
                .default_value("")
                .mutable_playing()
                .build(),
            set: |settings, value| replace(&mut settings.system_prompt, text(value)),
            get: Some(|settings| settings.system_prompt.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt::builder("max-tokens")
                .nick("Max tokens")
                .blurb("The most tokens that an answer may have")
                .minimum(1)
                .default_value(settings::DEFAULT_MAX_TOKENS)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.max_tokens = value.get().unwrap_or(settings::DEFAULT_MAX_TOKENS);
                Effect::NextQuestion
            },
            get: Some(|settings| settings.max_tokens.to_value()),
        },
        Property {
            spec: glib::ParamSpecDouble::builder("temperature")
                .nick("Temperature")
                .blurb("Sampling temperature; negative = the server's default")
                .minimum(-1.0)
                .maximum(2.0)
                .default_value(settings::DEFAULT_TEMPERATURE)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.temperature = value.get().unwrap_or(settings::DEFAULT_TEMPERATURE);
                Effect::NextQuestion
            },
            get: Some(|settings| settings.temperature.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt64::builder("timeout")
                .nick("Timeout")
                .blurb("Longest time that a question may take, up to its last token, in ns")
                .minimum(1_000_000)
                .default_value(nanos(settings::DEFAULT_TIMEOUT))
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.timeout = time(value);
                Effect::NextQuestion
            },
            get: Some(|settings| nanos(settings.timeout).to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt::builder("retries")
                .nick("Retries")
                .blurb(
                    "How often to ask again after a failure that may pass: about the same frame \
                     with busy=wait, else about the newest. The pauses grow, unless the server says \
                     when (Retry-After). Waiting for a limit does not count",
                )
                .maximum(100)
                .default_value(settings::DEFAULT_RETRIES)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.retries = value.get().unwrap_or(settings::DEFAULT_RETRIES);
                Effect::NextQuestion
            },
            get: Some(|settings| settings.retries.to_value()),
        },
        Property {
            spec: glib::ParamSpecEnum::builder_with_default("error-policy", ErrorPolicy::default())
                .nick("Error policy")
                .blurb("What to do when a question is given up")
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.error_policy = value.get().unwrap_or_default();
                Effect::NextQuestion
            },
            get: Some(|settings| settings.error_policy.to_value()),
        },
    ]
}

/// Those whose values are read before the settings are locked: compiling a schema may take a while.
pub(super) fn parsed() -> Vec<Parsed> {
    vec![
        Parsed {
            spec: glib::ParamSpecString::builder("extra-body")
                .nick("Extra body")
                .blurb(
                    "JSON object whose fields are added to each request or replace the element's \
                     own, such as {\"top_p\": 0.9}; null leaves a field out; empty = none",
                )
                .default_value("")
                .mutable_playing()
                .build(),
            parse: |value| {
                let text = text(value);
                let extra = ExtraBody::parse(&text).map_err(|error| error.to_string())?;
                Ok(Box::new(|settings| {
                    let extra = Written { text, meaning: extra };
                    let before = std::mem::replace(&mut settings.extra_body, extra);
                    (Effect::NextQuestion, Box::new(before))
                }))
            },
            get: Some(|settings| settings.extra_body.text.to_value()),
        },
        Parsed {
            spec: glib::ParamSpecString::builder("headers")
                .nick("Headers")
                .blurb(
                    "JSON object of headers for the server at api-base, or the gateway in front of \
                     it, such as {\"x-portkey-provider\": \"openai\"}; sent to no other and never \
                     read back",
                )
                .write_only()
                .mutable_playing()
                .build(),
            parse: |value| {
                let headers =
                    ExtraHeaders::parse(&text(value)).map_err(|error| error.to_string())?;
                Ok(Box::new(|settings| {
                    let before = std::mem::replace(&mut settings.headers, headers);
                    let same = before == settings.headers;
                    let effect = if same { Effect::NextQuestion } else { Effect::Question };
                    (effect, Box::new(before))
                }))
            },
            get: None,
        },
        Parsed {
            spec: glib::ParamSpecString::builder("ca-file")
                .nick("CA file")
                .blurb(
                    "PEM file with the authority that signed the server's certificate, in addition \
                     to those that this host trusts; empty = none",
                )
                .default_value("")
                .mutable_playing()
                .build(),
            parse: |value| {
                let file = text(value);
                let authority = match file.as_str() {
                    "" => None,
                    file => {
                        let authority = Authority::read(Path::new(file));
                        Some(Arc::new(authority.map_err(|error| error.to_string())?))
                    }
                };
                Ok(Box::new(|settings| {
                    let authority = Written { text: file, meaning: authority };
                    let before = std::mem::replace(&mut settings.authority, authority);
                    let same = before.meaning == settings.authority.meaning;
                    let effect = if same { Effect::NextQuestion } else { Effect::Question };
                    (effect, Box::new(before))
                }))
            },
            get: Some(|settings| settings.authority.text.to_value()),
        },
        Parsed {
            spec: glib::ParamSpecString::builder("response-schema")
                .nick("Response schema")
                .blurb(
                    "JSON schema that answers must fit; they are then posted as fields too; empty = \
                     free text. A change cancels the question in flight",
                )
                .default_value("")
                .mutable_playing()
                .build(),
            parse: |value| {
                let schema = Schema::parse(&text(value)).map_err(|error| error.to_string())?;
                Ok(Box::new(|settings| {
                    let before = std::mem::replace(&mut settings.response_schema, schema);
                    let changed = before != settings.response_schema;
                    let effect = if changed { Effect::Question } else { Effect::NextQuestion };
                    (effect, Box::new(before))
                }))
            },
            get: Some(|settings| {
                settings.response_schema.as_ref().map(Schema::text).unwrap_or_default().to_value()
            }),
        },
    ]
}
