//! Events of `tracing` as lines of the log that goes to live-vlm.

use std::fmt::{Debug, Write};

use live_vlm_media_link::{ConnectionId, LogLevel};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::LogSender;

/// A layer that leaves each event of `tracing` as a line for live-vlm, with the connection that it is
/// about: that of its field `connection`, or of a span around it.
#[derive(Debug)]
pub struct LogLayer(LogSender);

impl LogLayer {
    /// Leaves lines here.
    pub fn new(lines: LogSender) -> Self {
        Self(lines)
    }
}

/// What an event or a span says.
#[derive(Default)]
struct Line {
    message: String,
    /// The other fields.
    fields: String,
    connection: Option<ConnectionId>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut line = Line::default();
        attributes.record(&mut line);
        if let Some(connection) = line.connection
            && let Some(span) = context.span(id)
        {
            span.extensions_mut().insert(connection);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let around = || {
            let mut spans = context.event_scope(event)?;
            spans.find_map(|span| span.extensions().get::<ConnectionId>().copied())
        };
        let connection = line.connection.or_else(around);
        let Line { mut message, fields, .. } = line;
        message.push_str(&fields);
        let metadata = event.metadata();
        self.0.send(level(*metadata.level()), metadata.target(), connection, message);
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "connection" {
            self.connection = Some(ConnectionId(value));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing into a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

#[cfg(test)]
mod tests {
    use live_vlm_media_link::FromMedia;
    use tracing_subscriber::layer::SubscriberExt;

    use super::{super::log, *};

    #[tokio::test]
    async fn lines_say_about_which_connection_they_are() {
        let (sender, mut lines) = log::lines();
        let subscriber = tracing_subscriber::registry().with(LogLayer::new(sender));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("connection", connection = 7_u64).in_scope(|| {
                tracing::info_span!("inside").in_scope(|| {
                    tracing::warn!(error = "no", frames = 3_u64, "it failed");
                });
            });
            tracing::debug!(connection = 8_u64, "of another");
            tracing::error!("of none");
        });
        let mut said = Vec::new();
        while let Some(FromMedia::Log { level, connection, message, target }) = lines.next().await {
            assert!(target.ends_with("serve::log_layer::tests"), "{target}");
            said.push((level, connection, message));
        }
        let connection = |id| Some(ConnectionId(id));
        assert_eq!(
            said,
            [
                (LogLevel::Warn, connection(7), "it failed error=\"no\" frames=3".to_owned()),
                (LogLevel::Debug, connection(8), "of another".to_owned()),
                (LogLevel::Error, None, "of none".to_owned()),
            ]
        );
    }
}
