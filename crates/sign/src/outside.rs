//! The questions asked of the DNS.

use std::pin::Pin;

use net::dns::{Answer, Data, Kind, Missing, Resolver};

/// A future in a box.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who answers questions about names: the real DNS, or a test's table. Doubt is [`Missing::Temporary`], never "no".
pub trait Dns: Send + Sync {
    /// Records of a name, CNAMEs followed.
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>>;
}

impl Dns for Resolver {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        Box::pin(Resolver::lookup(self, name, kind))
    }
}

/// The texts of a name.
pub(crate) async fn texts(dns: &dyn Dns, name: &str) -> Result<Vec<String>, Missing> {
    let answer = dns.lookup(name, Kind::Txt).await?;
    let text = |data| if let Data::Txt(text) = data { Some(text) } else { None };
    Ok(answer.records.into_iter().filter_map(text).collect())
}
