//! What the log looks like to a machine: one JSON object a line, with the whole chain of causes of an
//! error and the request that the line belongs to.

use std::{error::Error, fmt};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::{LookupSpan, Scope},
};

/// Writes an event as one JSON object: its time, level and target, its fields, and those of the spans
/// around it.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonLines;

/// Writes the fields of a span, so that [`JsonLines`] can read them.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonFields;

/// Fields by their names.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, value.to_string());
        let mut causes: Vec<Value> = Vec::new();
        let mut next = value.source();
        while let Some(cause) = next {
            causes.push(cause.to_string().into());
            next = cause.source();
        }
        if !causes.is_empty() {
            self.0.insert(format!("{}.causes", field.name()), causes.into());
        }
    }
}

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut found = Fields::default();
        fields.record(&mut found);
        writer.write_str(&Value::Object(found.0).to_string())
    }
}

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Fields::default();
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        line.0.insert("time".to_owned(), time.into());
        line.0.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.0.insert("target".to_owned(), event.metadata().target().into());
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str(&fields.fields).ok());
            line.0.insert(span.name().to_owned(), fields.unwrap_or(Value::Null));
        }
        event.record(&mut line);
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt as _};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the store cannot be read")]
    struct Outer(#[source] io::Error);

    /// The lines that are written meanwhile.
    fn lines(work: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields)
            .event_format(JsonLines)
            .with_writer(written.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_line_is_an_object_with_its_request_and_every_cause() {
        let lines = lines(|| {
            tracing::info!("ready");
            let span = tracing::error_span!("request", id = "482193");
            let _here = span.enter();
            let error = Outer(io::Error::other("no \"space\"\nleft"));
            tracing::warn!(
                error = &error as &dyn Error, number = 7, done = true, event = %"$a", "failed"
            );
        });
        let [ready, failed] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(ready["message"], "ready");
        assert!(ready.get("request").is_none(), "{ready}");
        assert_eq!(failed["level"], "WARN");
        assert_eq!(failed["request"]["id"], "482193");
        assert_eq!(failed["error"], "the store cannot be read");
        assert_eq!(failed["error.causes"][0], "no \"space\"\nleft");
        assert_eq!((&failed["number"], &failed["done"]), (&7.into(), &true.into()));
        assert_eq!(failed["event"], "$a");
        let time = failed["time"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }

    #[test]
    fn nothing_that_is_logged_makes_a_line_of_its_own() {
        let forged = "x\n{\"level\":\"ERROR\",\"message\":\"forged\"}";
        let lines = lines(|| tracing::info!(name = forged, other = ?forged, "{forged}"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["message"], forged);
    }
}
