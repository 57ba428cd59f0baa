use crate::adapt::renamed;
use agentscope_core::{Error, ErrorKind, Name, Result, Tool};
use std::{collections::BTreeSet, sync::Arc};

/// What becomes of tools of one name in a toolkit. First come the toolkit's own tools in the order in which they were added,
/// those of inactive groups too; then those of its toolsets.
///
/// ```
/// use agentscope_tool::{Namesake, Toolkit, view_text_file};
///
/// let twice = Toolkit::new().tool(view_text_file()).tool(view_text_file());
/// assert!(twice.check().is_err());
/// assert!(twice.namesake(Namesake::Rename).check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Namesake {
    /// An error that names both.
    #[default]
    Raise,
    /// The first one stays.
    Skip,
    /// The later ones become `name_2`, `name_3` and so on.
    Rename,
    /// The last one takes the place of the others.
    Override,
}

/// A tool and from where it comes.
pub(super) struct Offer {
    pub(super) tool: Arc<dyn Tool>,
    pub(super) active: bool,
    name: Name,
    origin: String,
}

/// Most characters of a tool's name.
const LONGEST: usize = 64;

impl Offer {
    pub(super) fn new(tool: Arc<dyn Tool>, origin: String, active: bool) -> Self {
        Self { name: tool.spec().name.clone(), tool, origin, active }
    }

    fn rename(&mut self, name: Name) {
        self.tool = renamed(Arc::clone(&self.tool), name.clone());
        self.name = name;
    }
}

impl Namesake {
    /// The offers, each of its own name.
    pub(super) fn settle(self, offers: Vec<Offer>) -> Result<Vec<Offer>> {
        let mut taken: BTreeSet<Name> = offers.iter().map(|offer| offer.name.clone()).collect();
        let mut settled: Vec<Offer> = Vec::with_capacity(offers.len());
        for mut offer in offers {
            match (settled.iter_mut().find(|other| other.name == offer.name), self) {
                (None, _) => settled.push(offer),
                (Some(other), Self::Raise) => return Err(clash(other, &offer)),
                (Some(_), Self::Skip) => {}
                (Some(other), Self::Override) => *other = offer,
                (Some(_), Self::Rename) => {
                    let name = unused(&offer.name, &taken);
                    taken.insert(name.clone());
                    offer.rename(name);
                    settled.push(offer);
                }
            }
        }
        Ok(settled)
    }
}

fn clash(one: &Offer, other: &Offer) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!(
            "two tools are named `{}`, one of {}, one of {}: rename one, or choose what to do by `.namesake(..)`",
            one.name, one.origin, other.origin
        ),
    )
}

fn unused(name: &str, taken: &BTreeSet<Name>) -> Name {
    let numbered = |n: u64| {
        let suffix = format!("_{n}");
        let stem = name.get(..name.floor_char_boundary(LONGEST - suffix.len())).unwrap_or_default();
        Name::from(format!("{stem}{suffix}"))
    };
    let mut n = 2;
    loop {
        let name = numbered(n);
        if !taken.contains(&name) {
            return name;
        }
        n += 1;
    }
}
