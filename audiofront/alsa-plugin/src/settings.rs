//! The settings of a PCM definition in `asound.conf`.

use rustix::io::Errno;

use crate::card::Failure;

/// A setting's value in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// Anything else, such as a compound.
    Other,
}

/// Selects a stream: by number, in xenstore's order, or by its `unique-id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By number, from 0.
    Index(u32),
    /// By the `unique-id` of a stream.
    UniqueId(String),
}

/// A PCM definition of `type snddom`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `card`: number of the guest's sound card.
    pub card: u32,
    /// `playback_stream`: the card's playback stream.
    pub playback_stream: Which,
    /// `capture_stream`: the card's capture stream.
    pub capture_stream: Which,
}

impl Default for Settings {
    fn default() -> Self {
        Self { card: 0, playback_stream: Which::Index(0), capture_stream: Which::Index(0) }
    }
}

impl Settings {
    /// Reads the definition's fields.
    ///
    /// # Errors
    /// An unknown field or an invalid value.
    pub fn from_fields(fields: impl IntoIterator<Item = (String, Value)>) -> Result<Self, Failure> {
        let mut settings = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                // Every definition may have these fields.
                "comment" | "type" | "hint" => {}
                "card" => settings.card = number(&name, &value)?,
                "playback_stream" => settings.playback_stream = which(&name, value)?,
                "capture_stream" => settings.capture_stream = which(&name, value)?,
                _ => {
                    return Err(bad(format!(
                        "asound.conf: a PCM of type snddom has no field `{name}`; it has card, playback_stream and \
                         capture_stream"
                    )));
                }
            }
        }
        Ok(settings)
    }
}

fn number(name: &str, value: &Value) -> Result<u32, Failure> {
    let number = match value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        Value::Text(text) => text.parse().ok(),
        Value::Other => None,
    };
    number.ok_or_else(|| {
        bad(format!("asound.conf: `{name}` of a PCM of type snddom must be a number from 0 on"))
    })
}

fn which(name: &str, value: Value) -> Result<Which, Failure> {
    match value {
        // `@args` pass numbers as text.
        Value::Text(text) if !text.is_empty() => Ok(text.parse().map_or(Which::UniqueId(text), Which::Index)),
        Value::Integer(_) => Ok(Which::Index(number(name, &value)?)),
        Value::Text(_) | Value::Other => Err(bad(format!(
            "asound.conf: `{name}` of a PCM of type snddom must be a number from 0 on or a stream's unique-id"
        ))),
    }
}

fn bad(message: String) -> Failure {
    Failure::new(Errno::INVAL, message)
}

#[cfg(test)]
mod tests {
    use super::{Settings, Value, Which};

    fn read(fields: &[(&str, Value)]) -> Result<Settings, String> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Settings::from_fields(fields).map_err(|failure| failure.message)
    }

    #[test]
    fn nothing_said_is_the_first_of_each() {
        let settings = read(&[("type", Value::Text("snddom".into())), ("hint", Value::Other)]).unwrap();
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn streams_go_by_number_or_by_name() {
        let settings = read(&[
            ("card", Value::Text("1".into())),
            ("playback_stream", Value::Integer(2)),
            ("capture_stream", Value::Text("microphone".into())),
        ])
        .unwrap();
        assert_eq!(
            settings,
            Settings {
                card: 1,
                playback_stream: Which::Index(2),
                capture_stream: Which::UniqueId("microphone".into()),
            }
        );
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (name, value) in [
            ("card", Value::Integer(-1)),
            ("card", Value::Text("VCard".into())),
            ("playback_stream", Value::Integer(1 << 40)),
            ("capture_stream", Value::Text(String::new())),
            ("capture_stream", Value::Other),
            ("device", Value::Integer(0)),
        ] {
            let message = read(&[(name, value)]).unwrap_err();
            assert!(message.contains(&format!("`{name}`")), "{message}");
        }
    }
}
