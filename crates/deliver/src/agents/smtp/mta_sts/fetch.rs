//! Asking DNS and the web: the record, and the page at `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`.

use std::net::SocketAddr;
use std::time::Duration;

use net::dns::{Data, Kind, Protocols, Resolver};
use net::tls::{ClientTls, Identity, Trust};
use net::{clock, connect};
use tables::http::{self, Request, Url};

use super::Outside;
use super::policy::id;
use crate::Boxed;

/// The page, header and all, in bytes; RFC 8461 3.2 suggests 64 KB for the policy.
const LARGEST: usize = 68 * 1024;

/// For the whole of it (RFC 8461 3.3 suggests a minute).
const PATIENCE: Duration = Duration::from_secs(60);

/// How the error begins when no authority vouches for a page.
pub(super) const UNTRUSTED: &str = "certificate of";

/// Names, and pages that authorities vouch for.
pub struct Web {
    /// Asks DNS.
    pub resolver: Resolver,
    /// Speaks TLS, with the public authorities.
    pub tls: ClientTls,
    /// Which addresses are used.
    pub protocols: Protocols,
    /// 443.
    pub port: u16,
}

impl Outside for Web {
    fn id<'a>(&'a self, domain: &'a str) -> Boxed<'a, Option<String>> {
        Box::pin(async move {
            let answer = self.resolver.lookup(&format!("_mta-sts.{domain}"), Kind::Txt).await.ok()?;
            let texts = answer.records.iter().filter_map(|record| match record {
                Data::Txt(text) => Some(text.as_str()),
                _ => None,
            });
            id(texts).map(str::to_owned)
        })
    }

    fn fetch<'a>(&'a self, domain: &'a str) -> Boxed<'a, Result<String, String>> {
        Box::pin(async move {
            let page = tokio::time::timeout(PATIENCE, self.page(domain)).await;
            page.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
        })
    }
}

impl Web {
    async fn page(&self, domain: &str) -> Result<String, String> {
        let host = format!("mta-sts.{domain}");
        let found = self.resolver.addresses(&host, self.protocols).await;
        let addresses = found.map_err(|missing| format!("{host}: {missing}"))?;
        let mut why = format!("{host} has no address");
        for address in addresses.into_iter().take(4) {
            match connect::tcp(SocketAddr::new(address, self.port), None, PATIENCE / 4).await {
                Ok(stream) => return self.ask(stream, host).await,
                Err(error) => why = format!("connect to {host}[{address}]:{}: {error}", self.port),
            }
        }
        Err(why)
    }

    async fn ask(&self, stream: net::Stream, host: String) -> Result<String, String> {
        let identity = Identity { sni: Some(host.clone()), names: vec![host.clone()], ..Identity::default() };
        let secured = self.tls.connect(stream, &identity, clock::wall()).await;
        let (stream, summary) = secured.map_err(|error| format!("TLS with {host}: {error:?}"))?;
        if summary.trust < Trust::Verified {
            let why = summary.why_untrusted.unwrap_or_else(|| "no certificate".to_owned());
            return Err(format!("{UNTRUSTED} {host}: {why}"));
        }
        let target = "/.well-known/mta-sts.txt".to_owned();
        let url = Url { tls: true, host: host.clone(), port: self.port, target, user: None };
        let request = Request { method: "GET", url: &url, headers: &[("Accept", "text/plain")], body: b"" };
        let page = http::exchange(stream, &request, LARGEST).await;
        let page = page.map_err(|error| format!("{host}: {error}"))?;
        // Redirections are not followed (RFC 8461 3.3).
        if page.status != 200 {
            return Err(format!("{host} answers with status {}", page.status));
        }
        let kind = page.header("content-type").unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/plain") {
            return Err(format!("{host} answers with {kind} instead of text/plain"));
        }
        String::from_utf8(page.body).map_err(|_| format!("{host} answers with something that is no text"))
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
