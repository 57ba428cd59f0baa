use super::Agent;
use std::sync::Arc;

/// Several agents, given by reference: an array, a slice or a vector of one type, or a tuple of different ones. Clones of an
/// agent are the same agent, so nothing is given away.
///
/// ```
/// use agentscope_core::{Agent, Agents, Msg, agent_fn};
/// use std::sync::Arc;
///
/// let alice = agent_fn("Alice", |_, _| async { Ok(Msg::assistant("Alice", "hi")) });
/// let bob: Arc<dyn Agent> = Arc::new(agent_fn("Bob", |_, _| async { Ok(Msg::assistant("Bob", "hello")) }));
/// let names = |agents: Vec<Arc<dyn Agent>>| agents.iter().map(|it| it.card().name.to_string()).collect::<Vec<_>>();
/// assert_eq!(names((&alice, &bob).agents()), ["Alice", "Bob"]);
/// assert_eq!(names(vec![bob].agents()), ["Bob"]);
/// assert_eq!(names(alice.agents()), ["Alice"]);
/// ```
pub trait Agents {
    /// Each as what it is, an agent.
    fn agents(self) -> Vec<Arc<dyn Agent>>;
}

impl<A: Agent + Clone> Agents for &A {
    fn agents(self) -> Vec<Arc<dyn Agent>> {
        vec![shared(self)]
    }
}

impl<A: Agent + Clone> Agents for &[A] {
    fn agents(self) -> Vec<Arc<dyn Agent>> {
        self.iter().map(shared).collect()
    }
}

impl<A: Agent + Clone> Agents for &Vec<A> {
    fn agents(self) -> Vec<Arc<dyn Agent>> {
        self.as_slice().agents()
    }
}

impl<A: Agent + Clone, const N: usize> Agents for &[A; N] {
    fn agents(self) -> Vec<Arc<dyn Agent>> {
        self.as_slice().agents()
    }
}

impl<A: Agent + Clone, const N: usize> Agents for [&A; N] {
    fn agents(self) -> Vec<Arc<dyn Agent>> {
        self.into_iter().map(shared).collect()
    }
}

impl<A: Agent + Clone> Agents for Vec<&A> {
    fn agents(self) -> Vec<Arc<dyn Agent>> {
        self.into_iter().map(shared).collect()
    }
}

impl Agents for Vec<Arc<dyn Agent>> {
    fn agents(self) -> Vec<Arc<dyn Agent>> {
        self
    }
}

fn shared<A: Agent + Clone>(agent: &A) -> Arc<dyn Agent> {
    Arc::new(agent.clone())
}

macro_rules! tuples {
    ($(($($agent:ident)+))+) => {$(
        #[expect(non_snake_case, reason = "a variable for each type")]
        impl<$($agent: Agent + Clone),+> Agents for ($(&$agent,)+) {
            fn agents(self) -> Vec<Arc<dyn Agent>> {
                let ($($agent,)+) = self;
                vec![$(shared($agent)),+]
            }
        }
    )+};
}

tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) (A B C D E F G H I) }
