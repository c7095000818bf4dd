//! Messages that just came in, kept in memory for the delivery that follows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use mail::{Envelope, QueueId};

/// A message in memory.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) content: Bytes,
    /// What it costs, in bytes.
    pub(crate) cost: usize,
}

/// Keeps the youngest messages, up to a number of bytes.
#[derive(Debug, Default)]
pub(crate) struct FreshCache {
    limit: usize,
    used: usize,
    messages: HashMap<QueueId, Fresh>,
    /// Oldest first; may name messages that were removed.
    order: VecDeque<QueueId>,
}

impl FreshCache {
    pub(crate) fn new(limit: usize) -> FreshCache {
        FreshCache { limit, ..FreshCache::default() }
    }

    pub(crate) fn get(&self, id: &QueueId) -> Option<&Fresh> {
        self.messages.get(id)
    }

    pub(crate) fn insert(&mut self, id: QueueId, fresh: Fresh) {
        if fresh.cost > self.limit {
            return;
        }
        self.used += fresh.cost;
        self.order.push_back(id.clone());
        self.messages.insert(id, fresh);
        while self.used > self.limit {
            let Some(oldest) = self.order.pop_front() else { break };
            self.remove(&oldest);
        }
        // One message that stays keeps the names of all that came and went after it: drop those now and then.
        if self.order.len() > 2 * self.messages.len() + 64 {
            let messages = &self.messages;
            self.order.retain(|id| messages.contains_key(id));
        }
    }

    pub(crate) fn remove(&mut self, id: &QueueId) {
        if let Some(fresh) = self.messages.remove(id) {
            self.used -= fresh.cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_youngest_within_its_limit() {
        let id = |n: usize| QueueId::parse(&format!("A{n}")).expect("an id");
        let fresh = Fresh { envelope: Arc::default(), content: Bytes::new(), cost: 10 };
        let mut cache = FreshCache::new(35);
        for n in 0..10 {
            cache.insert(id(n), fresh.clone());
        }
        assert_eq!(cache.used, 30);
        assert!(cache.get(&id(6)).is_none() && cache.get(&id(7)).is_some());
        for n in 10..1000 {
            cache.insert(id(n), fresh.clone());
            cache.remove(&id(n));
        }
        assert!(cache.order.len() < 100);
        cache.insert(id(1000), Fresh { cost: 100, ..fresh });
        assert!(cache.get(&id(1000)).is_none());
    }
}
