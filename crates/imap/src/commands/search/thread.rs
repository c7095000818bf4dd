//! The trees of THREAD: ORDEREDSUBJECT and REFERENCES (RFC 5256), and REFS, which does without subjects.

use std::collections::HashMap;

use mime::{Section, What};

use super::sort::{base_subject, sent};
use crate::grammar::search::Algorithm;
use crate::respond::Out;
use crate::session::{Fail, Selected};

/// Trees of messages. They are kept side by side, since a chain of answers is as long as strangers make it.
#[derive(Debug, Default)]
pub struct Threads {
    places: Vec<Place>,
    roots: Vec<usize>,
}

/// A message, or a place where one is missing, and what answers it.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Where its header stands; none for a message that is not here.
    message: Option<usize>,
    uid: Option<u32>,
    /// When, and which, the first message is.
    first: (i64, u32),
    answers: Vec<usize>,
}

/// What of a message decides about its place.
#[derive(Clone, Debug)]
struct Header {
    uid: u32,
    sent: i64,
    subject: String,
    is_reply: bool,
    id: Option<Vec<u8>>,
    references: Vec<Vec<u8>>,
}

/// The threads of these messages.
///
/// # Errors
/// The store fails.
pub fn thread(selected: &Selected, uids: &[u32], algorithm: Algorithm) -> Result<Threads, Fail> {
    let mut headers = Vec::with_capacity(uids.len());
    selected.mailbox.headers(uids, &mut |uid, header| {
        let received = selected.known.find(uid).map_or(0, |entry| entry.received);
        headers.push(read(uid, &header, received));
        true
    })?;
    Ok(match algorithm {
        Algorithm::OrderedSubject => by_subject(headers),
        Algorithm::References => Forest::new(&headers).threads(&headers, true),
        Algorithm::Refs => Forest::new(&headers).threads(&headers, false),
    })
}

fn read(uid: u32, header: &[u8], received: i64) -> Header {
    let structure = mime::parse(header, &mime::Limits::default());
    let none = mime::Envelope::default();
    let envelope = structure.root().envelope.as_deref().unwrap_or(&none);
    let section = Section { path: Vec::new(), what: What::Fields(vec![b"References".to_vec()]) };
    let references = structure.section(header, &section);
    let is_reply = envelope.subject.as_deref().is_some_and(|subject| mime::subject::base(subject).is_reply);
    Header {
        uid,
        sent: sent(envelope).unwrap_or(received),
        subject: base_subject(envelope),
        is_reply,
        id: envelope.message_id.as_deref().and_then(|id| mime::ids::all(id).into_iter().next()),
        references: mime::ids::references(references.as_deref(), envelope.in_reply_to.as_deref()),
    }
}

/// Messages of one subject are a thread: the first, and the others as its answers.
fn by_subject(mut headers: Vec<Header>) -> Threads {
    headers.sort_by(|one, other| {
        (&one.subject, one.sent, one.uid).cmp(&(&other.subject, other.sent, other.uid))
    });
    let mut threads = Threads::default();
    for same in headers.chunk_by(|one, other| one.subject == other.subject) {
        let places: Vec<usize> = same
            .iter()
            .map(|header| {
                let first = (header.sent, header.uid);
                threads.add(Place { uid: Some(header.uid), first, ..Place::default() })
            })
            .collect();
        threads.places[places[0]].answers = places[1..].to_vec();
        threads.roots.push(places[0]);
    }
    threads.sort_roots();
    threads
}

impl Threads {
    fn add(&mut self, place: Place) -> usize {
        self.places.push(place);
        self.places.len() - 1
    }

    fn sort(&self, places: &mut [usize]) {
        places.sort_by_key(|place| self.places[*place].first);
    }

    fn sort_roots(&mut self) {
        let mut roots = std::mem::take(&mut self.roots);
        self.sort(&mut roots);
        self.roots = roots;
    }

    fn answer(&mut self, to: usize, answers: Vec<usize>) {
        let mut all = std::mem::take(&mut self.places[to].answers);
        all.extend(answers);
        self.sort(&mut all);
        self.places[to].answers = all;
    }

    /// The message whose subject stands for the thread.
    fn subject_of<'h>(&self, root: usize, headers: &'h [Header]) -> Option<&'h Header> {
        let place = &self.places[root];
        let message =
            place.message.or_else(|| place.answers.first().and_then(|first| self.places[*first].message));
        message.map(|at| &headers[at])
    }
}

/// Containers that point at what they answer.
struct Forest {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// The place of its header.
    message: Option<usize>,
    parent: Option<usize>,
    children: Vec<usize>,
}

impl Forest {
    /// Steps 1 to 3 of RFC 5256: links by Message-ID and References, without circles.
    fn new(headers: &[Header]) -> Forest {
        let mut forest = Forest { nodes: Vec::new() };
        let mut by_id: HashMap<Vec<u8>, usize> = HashMap::new();
        for (at, header) in headers.iter().enumerate() {
            let own = header.id.as_ref().and_then(|id| by_id.get(id).copied());
            // A second message of the same id stands by itself.
            let node = match own.filter(|node| forest.nodes[*node].message.is_none()) {
                Some(node) => node,
                None => {
                    let node = forest.add();
                    if let (Some(id), None) = (&header.id, own) {
                        by_id.insert(id.clone(), node);
                    }
                    node
                }
            };
            forest.nodes[node].message = Some(at);
            let mut above = None;
            for id in &header.references {
                let reference = *by_id.entry(id.clone()).or_insert_with(|| {
                    forest.nodes.push(Node::default());
                    forest.nodes.len() - 1
                });
                if let Some(above) = above {
                    forest.link(above, reference);
                }
                above = Some(reference);
            }
            // What the message says itself counts more than what others say of it.
            forest.unlink(node);
            if let Some(above) = above {
                forest.link(above, node);
            }
        }
        forest
    }

    fn add(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    /// Makes `child` an answer to `parent`, unless it is one to another, or that made a circle.
    fn link(&mut self, parent: usize, child: usize) {
        if self.nodes[child].parent.is_some() {
            return;
        }
        let mut above = Some(parent);
        while let Some(node) = above {
            if node == child {
                return;
            }
            above = self.nodes[node].parent;
        }
        self.nodes[child].parent = Some(parent);
        self.nodes[parent].children.push(child);
    }

    fn unlink(&mut self, child: usize) {
        if let Some(former) = self.nodes[child].parent.take() {
            self.nodes[former].children.retain(|other| *other != child);
        }
    }

    /// Steps 4 to 6: places without messages go, subjects join what has no references, and all is sorted by date.
    fn threads(&self, headers: &[Header], subjects: bool) -> Threads {
        let mut threads = Threads::default();
        let roots = (0..self.nodes.len()).filter(|node| self.nodes[*node].parent.is_none());
        for root in roots {
            self.tree(root, headers, &mut threads);
        }
        threads.sort_roots();
        if subjects {
            join_subjects(&mut threads, headers);
            threads.sort_roots();
        }
        threads
    }

    /// One tree, from its leaves to its root.
    fn tree(&self, root: usize, headers: &[Header], threads: &mut Threads) {
        let mut order = vec![root];
        let mut at = 0;
        while at < order.len() {
            order.extend(&self.nodes[order[at]].children);
            at += 1;
        }
        let mut made: HashMap<usize, Vec<usize>> = HashMap::new();
        for node in order.into_iter().rev() {
            let children = self.nodes[node].children.iter();
            let mut answers: Vec<usize> = children.filter_map(|child| made.remove(child)).flatten().collect();
            threads.sort(&mut answers);
            let message = self.nodes[node].message;
            let places = match (message, answers.len()) {
                (None, 0) => Vec::new(),
                // A missing message with one answer, or below another, gives its place to the answers.
                (None, 1) => answers,
                (None, _) if node != root => answers,
                _ => {
                    let own = message.map(|at| (headers[at].sent, headers[at].uid));
                    let first = own.unwrap_or_else(|| threads.places[answers[0]].first);
                    let uid = message.map(|at| headers[at].uid);
                    vec![threads.add(Place { message, uid, first, answers })]
                }
            };
            made.insert(node, places);
        }
        threads.roots.extend(made.remove(&root).unwrap_or_default());
    }
}

/// Step 5: threads of one subject become one.
fn join_subjects(threads: &mut Threads, headers: &[Header]) {
    let roots = std::mem::take(&mut threads.roots);
    let mut leaders: HashMap<&str, usize> = HashMap::new();
    let is_reply = |threads: &Threads, root: usize| {
        threads.subject_of(root, headers).is_some_and(|header| header.is_reply)
    };
    for root in &roots {
        let Some(header) = threads.subject_of(*root, headers).filter(|header| !header.subject.is_empty())
        else {
            continue;
        };
        let leader = leaders.entry(&header.subject).or_insert(*root);
        let missing = |place: usize| threads.places[place].message.is_none();
        // The one without a message, or else the one that is no reply, leads.
        if !missing(*leader) && (missing(*root) || (is_reply(threads, *leader) && !header.is_reply)) {
            *leader = *root;
        }
    }
    // Where a leader's thread has gone, once it had to share a new place with another.
    let mut now_at: HashMap<usize, usize> = HashMap::new();
    for root in roots {
        let subject = threads.subject_of(root, headers).filter(|header| !header.subject.is_empty());
        let leader = subject.and_then(|header| leaders.get(header.subject.as_str()).copied());
        let Some(leader) = leader.filter(|leader| *leader != root) else {
            now_at.entry(root).or_insert(root);
            continue;
        };
        let top = *now_at.entry(leader).or_insert(leader);
        if threads.places[top].message.is_none() {
            let missing = threads.places[root].message.is_none();
            let joined = if missing { std::mem::take(&mut threads.places[root].answers) } else { vec![root] };
            threads.answer(top, joined);
        } else if is_reply(threads, root) && !is_reply(threads, top) {
            threads.answer(top, vec![root]);
        } else {
            let first = threads.places[top].first.min(threads.places[root].first);
            let shared = threads.add(Place { first, ..Place::default() });
            threads.answer(shared, vec![top, root]);
            now_at.insert(leader, shared);
        }
    }
    threads.roots = now_at.into_values().collect();
}

/// What is still to be written.
enum Step {
    Place(usize),
    Text(&'static [u8]),
}

/// Writes `(1)(2 3 (4)(5))`.
pub fn write(threads: &Threads, number: &dyn Fn(u32) -> Option<u32>, out: &mut Out) {
    let mut steps = Vec::new();
    for root in threads.roots.iter().rev() {
        steps.extend([Step::Text(b")"), Step::Place(*root), Step::Text(b"(")]);
    }
    while let Some(step) = steps.pop() {
        let place = match step {
            Step::Text(text) => {
                out.put(text);
                continue;
            }
            Step::Place(place) => &threads.places[place],
        };
        let number = place.uid.and_then(number);
        if let Some(number) = number {
            out.number(u64::from(number));
        }
        let space = if number.is_some() && !place.answers.is_empty() { Some(Step::Text(b" ")) } else { None };
        match place.answers.as_slice() {
            [only] => steps.push(Step::Place(*only)),
            several => {
                for answer in several.iter().rev() {
                    steps.extend([Step::Text(b")"), Step::Place(*answer), Step::Text(b"(")]);
                }
            }
        }
        steps.extend(space);
    }
}

#[cfg(test)]
mod tests;
