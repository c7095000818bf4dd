//! MTA-STS (RFC 8461): a domain says, by a page that an authority vouches for, which hosts take its mail and that they
//! have certificates. Where DANE speaks, this does not.
//!
//! Policies are kept in memory and in files, so that a restart, or somebody who keeps DNS answers from us, does not make
//! us forget them.

mod fetch;
mod policy;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fetch::UNTRUSTED;
pub use fetch::Web;
pub use policy::{Mode, Policy};

use crate::Boxed;

/// What has to be asked outside.
pub trait Outside: Send + Sync {
    /// The id of the policy of a domain; `None`: there is none, or nobody knows now.
    fn id<'a>(&'a self, domain: &'a str) -> Boxed<'a, Option<String>>;

    /// The text of the policy of a domain.
    fn fetch<'a>(&'a self, domain: &'a str) -> Boxed<'a, Result<String, String>>;
}

/// Policies of this many domains are kept in memory.
const KEPT: usize = 10_000;

/// A policy that could not be fetched is not asked for again for so long, seconds.
const REST: u64 = 300;

/// Everything known of policies.
pub struct Sts<O> {
    outside: O,
    /// Where they outlive us, a file for each domain.
    folder: PathBuf,
    known: Mutex<HashMap<String, Known>>,
    program: Arc<str>,
}

#[derive(Clone)]
struct Known {
    id: String,
    /// When it was fetched, or its fetching failed; seconds since 1970.
    at: u64,
    policy: Result<Arc<Policy>, Fault>,
}

/// Why there is no policy where a record promises one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The page cannot be had.
    Unreachable,
    /// No authority vouches for its server.
    Untrusted,
    /// It is no policy.
    Malformed,
}

impl Known {
    fn in_force(&self, now: u64) -> Option<Arc<Policy>> {
        self.policy.clone().ok().filter(|policy| now < self.at.saturating_add(policy.max_age.as_secs()))
    }
}

impl<O: Outside> Sts<O> {
    /// Policies are kept in `folder`, which is made when needed.
    pub fn new(outside: O, folder: PathBuf, program: Arc<str>) -> Sts<O> {
        Sts { outside, folder, known: Mutex::default(), program }
    }

    /// The policy of a domain that is in force; `now` in seconds since 1970.
    ///
    /// # Errors
    /// There should be one, and it could not be had: the domain is treated as one without a policy.
    pub async fn policy(&self, domain: &str, now: u64) -> Result<Option<Arc<Policy>>, Fault> {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        if !is_name(&domain) {
            return Ok(None);
        }
        let known = self.remembered(&domain);
        let old = known.as_ref().and_then(|known| known.in_force(now));
        // Without an id there is nothing new, and what holds goes on.
        let Some(id) = self.outside.id(&domain).await else { return Ok(old) };
        if let Some(known) = known.filter(|known| known.id == id) {
            match known.policy {
                _ if old.is_some() => return Ok(old),
                Err(fault) if now < known.at.saturating_add(REST) => return Err(fault),
                _ => {}
            }
        }
        let fetched = match self.outside.fetch(&domain).await {
            Ok(text) => match Policy::parse(&text) {
                Ok(policy) => Ok((policy, text)),
                Err(why) => Err((Fault::Malformed, why.to_owned())),
            },
            Err(why) if why.starts_with(UNTRUSTED) => Err((Fault::Untrusted, why)),
            Err(why) => Err((Fault::Unreachable, why)),
        };
        match fetched {
            Ok((policy, text)) => {
                let policy = Arc::new(policy);
                self.write(&domain, &id, now, &text);
                self.remember(domain, Known { id, at: now, policy: Ok(policy.clone()) });
                Ok(Some(policy))
            }
            Err((fault, why)) => {
                let why = mail::logline::printable(&why);
                log::warn!(target: &self.program, "MTA-STS policy of {domain}: {why}");
                // The old one holds until it ends; its id makes us ask again.
                if old.is_some() {
                    return Ok(old);
                }
                self.remember(domain, Known { id, at: now, policy: Err(fault) });
                Err(fault)
            }
        }
    }

    fn remembered(&self, domain: &str) -> Option<Known> {
        let kept = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(domain).cloned();
        kept.or_else(|| {
            let known = read(&self.folder.join(domain))?;
            self.remember(domain.to_owned(), known.clone());
            Some(known)
        })
    }

    fn remember(&self, domain: String, known: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            // They are on disk.
            all.clear();
        }
        all.insert(domain, known);
    }

    fn write(&self, domain: &str, id: &str, now: u64, text: &str) {
        let file = self.folder.join(domain);
        let new = self.folder.join(format!(".{domain}"));
        let written = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(&new, format!("{id} {now}\n{text}")))
            .and_then(|()| std::fs::rename(&new, &file));
        if let Err(error) = written {
            log::warn!(target: &self.program, "MTA-STS policy of {domain}: write {}: {error}", file.display());
        }
    }
}

/// A name that can be a file's, too.
fn is_name(domain: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    domain.len() <= 253 && domain.contains('.') && !domain.starts_with('.') && domain.bytes().all(fine)
}

fn read(file: &Path) -> Option<Known> {
    let text = std::fs::read_to_string(file).ok()?;
    let (head, text) = text.split_once('\n')?;
    let (id, at) = head.split_once(' ')?;
    let policy = Policy::parse(text).ok()?;
    Some(Known { id: id.to_owned(), at: at.parse().ok()?, policy: Ok(Arc::new(policy)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is outside, as a test wants it, and how often a policy was fetched.
    #[derive(Clone)]
    struct Fake(Arc<Mutex<State>>);

    struct State {
        id: Option<String>,
        page: Result<String, String>,
        fetched: usize,
    }

    impl Outside for Fake {
        fn id<'a>(&'a self, _: &'a str) -> Boxed<'a, Option<String>> {
            Box::pin(std::future::ready(self.0.lock().unwrap().id.clone()))
        }

        fn fetch<'a>(&'a self, _: &'a str) -> Boxed<'a, Result<String, String>> {
            let mut fake = self.0.lock().unwrap();
            fake.fetched += 1;
            Box::pin(std::future::ready(fake.page.clone()))
        }
    }

    impl Fake {
        fn new() -> Fake {
            Fake(Arc::new(Mutex::new(State { id: None, page: Err(String::new()), fetched: 0 })))
        }

        fn set(&self, id: Option<&str>, page: Result<&str, &str>) {
            let mut fake = self.0.lock().unwrap();
            fake.id = id.map(str::to_owned);
            fake.page = page.map(str::to_owned).map_err(str::to_owned);
        }

        fn fetched(&self) -> usize {
            self.0.lock().unwrap().fetched
        }
    }

    const ENFORCE: &str = "version: STSv1\nmode: enforce\nmx: mx.x.test\nmax_age: 1000\n";
    const TESTING: &str = "version: STSv1\nmode: testing\nmx: mx.x.test\nmax_age: 1000\n";

    #[tokio::test]
    async fn a_policy_holds_until_a_new_one_or_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::new();
        let begin = || Sts::new(fake.clone(), folder.path().join("sts"), "smtp".into());
        let mut sts = begin();
        let mode = async |sts: &Sts<Fake>, now: u64| {
            sts.policy("X.test.", now).await.ok().flatten().map(|policy| policy.mode)
        };
        fake.set(None, Ok(ENFORCE));
        assert_eq!(mode(&sts, 0).await, None);
        fake.set(Some("a"), Err("no route"));
        assert_eq!(mode(&sts, 0).await, None);
        fake.set(Some("a"), Ok(ENFORCE));
        assert_eq!((mode(&sts, 299).await, fake.fetched()), (None, 1), "it rests after a failure");
        assert_eq!((mode(&sts, 300).await, fake.fetched()), (Some(Mode::Enforce), 2));
        assert_eq!((mode(&sts, 301).await, fake.fetched()), (Some(Mode::Enforce), 2));
        // A restart, and DNS answers kept from us, change nothing.
        sts = begin();
        fake.set(None, Err("away"));
        assert_eq!(mode(&sts, 1299).await, Some(Mode::Enforce));
        assert_eq!(mode(&sts, 1300).await, None, "it has ended");
        // A new id: a new page. When that cannot be had, the old one holds.
        fake.set(Some("b"), Err("away"));
        assert_eq!(mode(&sts, 500).await, Some(Mode::Enforce));
        fake.set(Some("b"), Ok("rubbish"));
        assert_eq!(mode(&sts, 500).await, Some(Mode::Enforce));
        fake.set(Some("b"), Ok(TESTING));
        assert_eq!(mode(&sts, 500).await, Some(Mode::Testing));
        // The same page again when it has ended.
        let before = fake.fetched();
        assert_eq!((mode(&sts, 1501).await, fake.fetched()), (Some(Mode::Testing), before + 1));
    }

    #[tokio::test]
    async fn names_that_are_none_have_no_policy() {
        let sts = Sts::new(Fake::new(), std::env::temp_dir().join("never-made"), "smtp".into());
        sts.outside.set(Some("a"), Ok(ENFORCE));
        for name in ["", "..", "../x.test", "a/b.test", ".x.test", "localhost", "x.test\0"] {
            assert_eq!(sts.policy(name, 0).await, Ok(None), "{name:?}");
        }
        assert_eq!(sts.outside.fetched(), 0);
    }
}
