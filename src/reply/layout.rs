//! In which layout an answer is drawn, and in whose time zone.

use std::{str::FromStr, sync::LazyLock};

use jiff::tz::TimeZone;
use ruma::OwnedServerName;
use serde::{Deserialize, Serialize};

use crate::input::Prefix;

/// How the records of a listing are drawn.
///
/// There is no table among them. Element X drops the tags of one, so that a value stands there without
/// its label, and other clients break the words in it where the screen is narrow; with a label in each
/// cell it reads as [`List`](Self::List) does where it is dropped, and worse where it is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Each in a paragraph of its own. Where the command itself asks for this layout with all that is
    /// known, else on two lines of a phone.
    #[default]
    Cards,
    /// Each on one line, with what is most telling of it.
    List,
    /// Aligned columns in fixed pitch, so narrow that no phone breaks a line of them. What does not
    /// fit is cut in the HTML; the plain text has all of it.
    Code,
}

impl Layout {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Cards, Self::List, Self::Code];

    /// The word by which it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cards => "cards",
            Self::List => "list",
            Self::Code => "code",
        }
    }
}

impl FromStr for Layout {
    /// What to write instead.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|layout| layout.as_str() == text);
        known.ok_or_else(|| match text {
            "table" | "tables" => "phones cannot show tables; write list or code".to_owned(),
            _ => format!("write {}", Self::ALL.map(Self::as_str).join(", ")),
        })
    }
}

/// How answers are drawn for everybody, by the config.
#[derive(Debug, Clone, Copy)]
pub struct Custom<'a> {
    /// The layout of what asks for none.
    pub layout: Layout,
    /// With what the commands in it begin.
    pub prefix: &'a Prefix,
}

/// With the exclamation mark that commands have on record.
impl From<Layout> for Custom<'_> {
    fn from(layout: Layout) -> Self {
        static USUAL: LazyLock<Prefix> = LazyLock::new(Prefix::default);
        Self { layout, prefix: &USUAL }
    }
}

impl From<&Layout> for Custom<'_> {
    fn from(layout: &Layout) -> Self {
        (*layout).into()
    }
}

/// How one answer is drawn for whoever asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Style {
    /// In which layout; in that of the config, where nothing is said.
    pub layout: Option<Layout>,
    /// In which time zone moments stand, before they stand in UTC; in UTC alone, where nothing is
    /// said.
    pub zone: Option<TimeZone>,
    /// Whether each row of several in the layout [`Cards`](Layout::Cards) has two lines of a phone at most,
    /// where ids of this server stand without its name.
    pub narrow: Option<OwnedServerName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layout_is_read_by_its_word_and_a_table_is_refused_with_what_to_take() {
        for layout in Layout::ALL {
            assert_eq!(layout.as_str().parse(), Ok(layout));
        }
        let why = "table".parse::<Layout>().unwrap_err();
        assert!(why.contains("phones") && why.contains("list or code"), "{why}");
        assert_eq!("rows".parse::<Layout>(), Err("write cards, list, code".to_owned()));
    }
}
