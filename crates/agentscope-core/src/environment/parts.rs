//! Small environments that are ready: a value, a thing that one can hold, a map, a record of what happened.

use super::World;
use crate::{
    error::{Error, ErrorKind, Result},
    id::Name,
    timestamp::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, VecDeque};

/// Most notes that one asks for at once.
const MOST_RECENT: usize = 100;

#[derive(Deserialize, JsonSchema)]
struct Set<V> {
    /// The new value.
    value: V,
}

/// A value that agents `get` and `set`.
///
/// ```
/// use agentscope_core::{EnvironmentExt, environment::variable};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let topic = variable("topic", "tea".to_owned());
/// topic.perform_by::<()>("Alice", "set", serde_json::json!({"value": "coffee"})).await?;
/// assert_eq!(topic.perform::<String>("get", ()).await?, "coffee");
/// # Ok(()) }
/// ```
pub fn variable<V>(name: impl Into<Name>, value: V) -> World<V>
where
    V: Clone + Serialize + DeserializeOwned + JsonSchema + Send + 'static,
{
    let name = name.into();
    World::new(name.clone(), value).reading("get", format!("Tells the value of {name}."), V::clone).action(
        "set",
        format!("Sets the value of {name}."),
        |value, set: Set<V>, _| {
            *value = set.value;
            Ok(())
        },
    )
}

/// A thing that one agent at a time can hold. See [`item`].
///
/// ```
/// assert_eq!(agentscope_core::environment::Item::default().holder, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Who has it.
    pub holder: Option<Name>,
}

/// A thing that agents `acquire` and `release`, one at a time, and of which they ask for the `holder`.
///
/// ```
/// use agentscope_core::{EnvironmentExt, ErrorKind, environment::item};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let lamp = item("lamp");
/// lamp.perform_by::<()>("Alice", "acquire", ()).await?;
/// let refused = lamp.perform_by::<()>("Bob", "acquire", ()).await.unwrap_err();
/// assert_eq!((refused.kind(), refused.message()), (ErrorKind::Refused, "`Alice` has it: wait until it is released"));
/// lamp.perform_by::<()>("Alice", "release", ()).await?;
/// # Ok(()) }
/// ```
pub fn item(name: impl Into<Name>) -> World<Item> {
    let name = name.into();
    World::new(name.clone(), Item::default())
        .reading("holder", format!("Tells who has the {name}."), |item| item.holder.clone())
        .action("acquire", format!("Takes the {name}, if nobody else has it."), |item, (), by| {
            let by = somebody(by)?;
            match &item.holder {
                Some(holder) if holder != by => {
                    let message = format!("`{holder}` has it: wait until it is released");
                    Err(Error::new(ErrorKind::Refused, message))
                }
                _ => {
                    item.holder = Some(by.clone());
                    Ok(())
                }
            }
        })
        .action("release", format!("Gives the {name} back."), |item, (), by| {
            let by = somebody(by)?;
            if item.holder.as_ref() != Some(by) {
                let message = format!("`{by}` does not have it: acquire it first");
                return Err(Error::new(ErrorKind::Refused, message));
            }
            item.holder = None;
            Ok(())
        })
}

fn somebody(by: Option<&Name>) -> Result<&Name> {
    by.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "nobody acts: say who does, by `Action::by`"))
}

/// A place in the plane.
///
/// ```
/// use agentscope_core::environment::Point2D;
/// assert_eq!(Point2D { x: 0.0, y: 3.0 }.distance(Point2D { x: 4.0, y: 0.0 }), 5.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point2D {
    /// To the right.
    pub x: f64,
    /// Up.
    pub y: f64,
}

impl Point2D {
    /// How far it is to `other`.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// Who is where. See [`map`].
///
/// ```
/// use agentscope_core::environment::{Map2D, Point2D};
/// let mut map = Map2D { width: 10.0, height: 10.0, places: Default::default() };
/// map.places.insert("Alice".into(), Point2D { x: 1.0, y: 1.0 });
/// assert_eq!(map.near(Point2D::default(), 2.0)[0].name, "Alice");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Map2D {
    /// From 0 to here one can go to the right.
    pub width: f64,
    /// From 0 to here one can go up.
    pub height: f64,
    /// Where each is.
    pub places: BTreeMap<Name, Point2D>,
}

/// Somebody on a map.
///
/// ```
/// # use agentscope_core::environment::{Map2D, Point2D};
/// let map = Map2D { places: [("Bob".into(), Point2D { x: 3.0, y: 4.0 })].into(), ..Map2D::default() };
/// assert_eq!(map.near(Point2D::default(), 9.0)[0].distance, 5.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Near {
    /// Who.
    pub name: Name,
    /// Where.
    pub place: Point2D,
    /// How far from where one looks.
    pub distance: f64,
}

impl Map2D {
    /// Who is at most `distance` from `place`, the nearest first.
    pub fn near(&self, place: Point2D, distance: f64) -> Vec<Near> {
        let all = self.places.iter().map(|(name, at)| Near {
            name: name.clone(),
            place: *at,
            distance: place.distance(*at),
        });
        let mut near: Vec<_> = all.filter(|it| it.distance <= distance).collect();
        near.sort_by(|one, other| one.distance.total_cmp(&other.distance));
        near
    }
}

#[derive(Deserialize, JsonSchema)]
struct Look {
    /// How far to look.
    distance: f64,
}

/// A plane of this size on which agents `move` and see who is near (`look`). Who moves for the first time enters it.
///
/// ```
/// use agentscope_core::{EnvironmentExt, environment::{Near, map}};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let park = map("park", 100.0, 50.0);
/// park.perform_by::<()>("Alice", "move", json!({"x": 10, "y": 10})).await?;
/// park.perform_by::<()>("Bob", "move", json!({"x": 13, "y": 14})).await?;
/// let near: Vec<Near> = park.perform_by("Alice", "look", json!({"distance": 20})).await?;
/// assert_eq!((near[0].name.as_str(), near[0].distance), ("Bob", 5.0));
/// assert!(park.perform_by::<()>("Bob", "move", json!({"x": 13, "y": 51})).await.is_err(), "beyond the border");
/// # Ok(()) }
/// ```
pub fn map(name: impl Into<Name>, width: f64, height: f64) -> World<Map2D> {
    let name = name.into();
    World::new(name.clone(), Map2D { width, height, places: BTreeMap::new() })
        .reading("places", format!("Tells where everybody in the {name} is."), |map| map.places.clone())
        .action(
            "move",
            format!("Goes to a place in the {name}: x from 0 to {width}, y from 0 to {height}."),
            |map, to: Point2D, by| {
                let inside = (0.0..=map.width).contains(&to.x) && (0.0..=map.height).contains(&to.y);
                if !inside {
                    let message =
                        format!("the map goes from 0, 0 to {}, {}: stay on it", map.width, map.height);
                    return Err(Error::new(ErrorKind::InvalidInput, message));
                }
                map.places.insert(somebody(by)?.clone(), to);
                Ok(())
            },
        )
        .reading_with("look", format!("Tells who in the {name} is near you."), |map, look: Look, by| {
            let by = somebody(by)?;
            let place = map.places.get(by).copied().ok_or_else(|| {
                Error::new(ErrorKind::NotFound, format!("`{by}` is not on the map: move there first"))
            })?;
            let mut near = map.near(place, look.distance);
            near.retain(|it| it.name != *by);
            Ok(near)
        })
}

/// Something that was noted.
///
/// ```
/// # use agentscope_core::{EnvironmentExt, environment::{Note, timeline}};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let diary = timeline("diary", 10);
/// let note: Note = diary.perform_by("Alice", "note", serde_json::json!({"text": "It rains."})).await?;
/// assert_eq!((note.seq, note.by.as_deref(), note.text.as_str()), (1, Some("Alice"), "It rains."));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Note {
    /// Its place in the record, from 1.
    pub seq: u64,
    /// When.
    pub timestamp: Timestamp,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Name>,
    /// What.
    pub text: String,
}

/// A record of what happened, the oldest first. See [`timeline`].
///
/// ```
/// assert!(agentscope_core::environment::Timeline::default().notes.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timeline {
    /// How many there ever were.
    pub count: u64,
    /// Those that are kept.
    pub notes: VecDeque<Note>,
}

#[derive(Deserialize, JsonSchema)]
struct Text {
    /// What to note.
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Recent {
    /// How many, 100 at most.
    count: usize,
}

/// A record to which agents add a `note`, and of which they read the last (`recent`). It keeps at most `keep` notes, and forgets
/// the oldest.
///
/// ```
/// use agentscope_core::{EnvironmentExt, environment::{Note, timeline}};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let diary = timeline("diary", 2);
/// for text in ["one", "two", "three"] {
///     diary.perform_by::<Note>("Alice", "note", json!({"text": text})).await?;
/// }
/// let recent: Vec<Note> = diary.perform("recent", json!({"count": 10})).await?;
/// assert_eq!(recent.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["two", "three"]);
/// # Ok(()) }
/// ```
pub fn timeline(name: impl Into<Name>, keep: usize) -> World<Timeline> {
    let name = name.into();
    World::new(name.clone(), Timeline::default())
        .action("note", format!("Adds a note to the {name}."), move |timeline, Text { text }, by| {
            timeline.count += 1;
            let (seq, timestamp) = (timeline.count, Timestamp::now());
            let note = Note { seq, timestamp, by: by.cloned(), text };
            timeline.notes.push_back(note.clone());
            while timeline.notes.len() > keep {
                timeline.notes.pop_front();
            }
            Ok(note)
        })
        .reading_with(
            "recent",
            format!("Reads the last notes of the {name}."),
            |timeline, recent: Recent, _| {
                let count = recent.count.min(MOST_RECENT);
                let skip = timeline.notes.len().saturating_sub(count);
                Ok(timeline.notes.iter().skip(skip).cloned().collect::<Vec<_>>())
            },
        )
}
