//! The question whether a message is put off, and its answer.

use std::net::IpAddr;

use super::memory::{Memory, Proven, Seen, State};
use super::settings::Settings;
use super::{domain_of_hosts, key};

/// A client is counted once in so many seconds.
const HOUR: i64 = 3600;

/// What a session or a policy request tells.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The client.
    pub client: IpAddr,
    /// Its verified name, or `unknown`.
    pub name: &'a str,
    /// MAIL FROM, without brackets.
    pub sender: &'a str,
    /// RCPT TO.
    pub recipient: &'a str,
    /// A name for the message, the same for all its recipients; empty when there is none.
    pub instance: &'a str,
    /// Its queue id, or empty.
    pub queue_id: &'a str,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// An action of access(5): `DUNNO`, `PREPEND X-Greylist: …`, or what puts the client off.
    pub action: String,
    /// The line for the log, in postgrey's words.
    pub log: String,
    /// What was looked up, for the trail.
    pub key: String,
}

/// What is known of a triplet, its client, and their pools.
struct Known {
    key: String,
    pools: Vec<String>,
    /// When it first came, as far as that counts, and whether it had waited long enough before.
    first: i64,
    waited: bool,
}

impl Settings {
    /// Is the policy of the sender's domain worth asking? Only for those who come for the first time, by all we know.
    pub fn wants_policy(&self, memory: &Memory, question: &Question<'_>) -> bool {
        self.pools_by_policy() && self.exception(question).is_none() && {
            let state = memory.state();
            let (key, pools) = (self.key(question), self.pools(question, None));
            !self.is_proven(&state, question)
                && !std::iter::once(&key).chain(&pools).any(|key| state.triplets.contains_key(key.as_str()))
        }
    }

    /// Answers, and remembers. `policy` is the domain whose sender policy permits the client, where it was asked.
    pub fn ask(&self, memory: &Memory, question: &Question<'_>, policy: Option<&str>) -> Answer {
        let now = memory.now();
        let mut state = memory.state();
        state.tidy(&self.limits, now);
        if let Some(reason) = self.exception(question) {
            return self.pass(question, reason, "");
        }
        let address = question.client.to_canonical().to_string();
        let proven = state.clients.get(address.as_str()).copied();
        if self.is_proven(&state, question) {
            if let Some(Proven { count, last }) = proven
                && (now >= last + HOUR || last > now)
            {
                memory.put_client(&mut state, &address, Proven { count: count + 1, last: now });
            }
            return self.pass(question, "client AWL", &address);
        }
        let known = self.known(&state, question, policy, now);
        for key in known.pools.iter().chain([&known.key]) {
            memory.put_triplet(&mut state, key, Seen { first: known.first, last: now });
        }
        let missing = self.limits.delay - (now - known.first);
        if missing > 0 {
            return self.put_off(question, &known, missing, now);
        }
        if !known.waited && self.counts_clients() && proven.is_none_or(|proven| now >= proven.last + HOUR) {
            let count = proven.map_or(1, |proven| proven.count + 1);
            memory.put_client(&mut state, &address, Proven { count, last: now });
            if count == self.params.greylist_auto_whitelist_clients {
                log::info!(target: "=postgrey", "whitelisted: {}[{address}]", printable(question.name));
            }
        }
        drop(state);
        let mut answer = self.pass(question, "triplet found", &known.key);
        if !known.waited && memory.is_new_message(question.instance) {
            let delay = now - known.first;
            answer.log = self.line(question, "pass", "triplet found", Some(&format!("delay={delay}")));
            if !self.params.greylist_header.is_empty() {
                answer.action = format!("PREPEND {}", self.header(memory, delay, now));
            }
        }
        answer
    }

    /// Answers as [`Settings::ask`] would, and remembers nothing (`facteur explain`).
    pub fn look(&self, memory: &Memory, question: &Question<'_>, policy: Option<&str>) -> Answer {
        let now = memory.now();
        let state = memory.state();
        if let Some(reason) = self.exception(question) {
            return self.pass(question, reason, "");
        }
        if self.is_proven(&state, question) {
            return self.pass(question, "client AWL", &question.client.to_canonical().to_string());
        }
        let known = self.known(&state, question, policy, now);
        match self.limits.delay - (now - known.first) {
            missing if missing > 0 => self.put_off(question, &known, missing, now),
            _ => self.pass(question, "triplet found", &known.key),
        }
    }

    fn exception(&self, question: &Question<'_>) -> Option<&'static str> {
        if self.clients.has(question.name, question.client) {
            Some("client whitelist")
        } else if self.recipients.has(question.recipient) {
            Some("recipient whitelist")
        } else {
            None
        }
    }

    fn counts_clients(&self) -> bool {
        self.params.greylist_auto_whitelist_clients > 0
    }

    fn is_proven(&self, state: &State, question: &Question<'_>) -> bool {
        let address = question.client.to_canonical().to_string();
        let proven = state.clients.get(address.as_str());
        self.counts_clients()
            && proven.is_some_and(|proven| proven.count >= self.params.greylist_auto_whitelist_clients)
    }

    fn key(&self, question: &Question<'_>) -> String {
        let params = &self.params;
        let bits = |number: i64| u8::try_from(number).unwrap_or(u8::MAX);
        let (v4, v6) = (bits(params.greylist_ipv4cidr), bits(params.greylist_ipv6cidr));
        let network = key::network(question.client, v4, v6, params.greylist_lookup_by_host);
        key::triplet(&network, question.sender, question.recipient)
    }

    fn pools(&self, question: &Question<'_>, policy: Option<&str>) -> Vec<String> {
        let by_name = self.pools_by_name().then(|| domain_of_hosts(question.name, question.client)).flatten();
        let by_policy = policy.filter(|_| self.pools_by_policy());
        let named = by_name.map(|domain| format!("name:{domain}"));
        let permitted = by_policy.map(|domain| format!("spf:{domain}"));
        let pools = named.into_iter().chain(permitted);
        pools.map(|pool| key::triplet(&pool, question.sender, question.recipient)).collect()
    }

    fn known(&self, state: &State, question: &Question<'_>, policy: Option<&str>, now: i64) -> Known {
        let (key, pools) = (self.key(question), self.pools(question, policy));
        let seen = std::iter::once(&key).chain(&pools).find_map(|key| state.triplets.get(key.as_str()));
        let (mut first, mut waited) = (now, false);
        if let Some(seen) = seen {
            waited = seen.last - seen.first >= self.limits.delay;
            // A first retry that comes too late is a first attempt; and no date lies in the future.
            let late = !waited && now - seen.first > self.limits.retry_window;
            first = if late { now } else { seen.first.min(now) };
        }
        Known { key, pools, first, waited }
    }

    fn pass(&self, question: &Question<'_>, reason: &str, key: &str) -> Answer {
        let log = self.line(question, "pass", reason, None);
        Answer { action: "DUNNO".to_owned(), log, key: key.to_owned() }
    }

    fn put_off(&self, question: &Question<'_>, known: &Known, missing: i64, now: i64) -> Answer {
        let reason = match known.first == now {
            true => "new".to_owned(),
            false => format!("early-retry ({missing}s missing)"),
        };
        let domain = question.recipient.rsplit('@').next().unwrap_or_default();
        let text = &self.params.greylist_text;
        // 4.7.1, which it would be otherwise, makes some servers give up.
        let status = if text.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "4.2.0 " };
        let text = text.replacen("%s", &missing.to_string(), 1).replacen("%r", domain, 1);
        Answer {
            action: format!("{} {status}{text}", self.params.greylist_action),
            log: self.line(question, "greylist", &reason, None),
            key: known.key.clone(),
        }
    }

    fn header(&self, memory: &Memory, delay: i64, now: i64) -> String {
        let date = jiff::Timestamp::from_second(now).unwrap_or_default().to_zoned(memory.zone.clone());
        let date = date.strftime("%a, %d %b %Y %H:%M:%S %Z").to_string();
        let header = self.params.greylist_header.replacen("%t", &delay.to_string(), 1);
        let header = header.replacen("%v", &self.version, 1).replacen("%d", &date, 1);
        header.replacen("%h", &self.myhostname, 1)
    }

    fn line(&self, question: &Question<'_>, action: &str, reason: &str, more: Option<&str>) -> String {
        let mut line = String::new();
        if !question.queue_id.is_empty() {
            line.push_str(question.queue_id);
            line.push_str(": ");
        }
        line.push_str(&format!("action={action}, reason={reason}"));
        if let Some(more) = more {
            line.push_str(&format!(", {more}"));
        }
        let address = question.client.to_canonical().to_string();
        for (name, value) in [
            ("client_name", question.name),
            ("client_address", &address),
            ("sender", question.sender),
            ("recipient", question.recipient),
        ] {
            if !value.is_empty() {
                line.push_str(&format!(", {name}={}", printable(value)));
            }
        }
        line
    }
}

fn printable(text: &str) -> String {
    mail::logline::printable(text)
}
