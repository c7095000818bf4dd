//! `local_header_rewrite_clients`: whose headers are completed like our own.

use std::net::IpAddr;

use mail::{Because, Trail, Trouble};
use tables::Maps;

use crate::Context;
use crate::classes::Classes;
use crate::open::Opener;

/// What is known of a client when it connects and when it logs in.
#[derive(Clone, Copy, Debug)]
pub struct ClientFacts {
    /// Its address.
    pub address: IpAddr,
    /// It is in `mynetworks`.
    pub in_my_networks: bool,
    /// It has logged in.
    pub logged_in: bool,
    /// Its certificate was verified.
    pub verified_certificate: bool,
    /// The fingerprint of its certificate is in `relay_clientcerts`.
    pub listed_certificate: bool,
}

enum Rule {
    InetInterfaces,
    MyNetworks,
    LoggedIn,
    VerifiedCertificate,
    ListedCertificate,
    Table(Maps),
}

/// The clients of one configuration.
pub(crate) struct HeaderClients(Vec<Rule>);

const PARAMETER: &str = "local_header_rewrite_clients";

impl HeaderClients {
    pub fn new(opener: &mut Opener<'_>, words: &[String]) -> HeaderClients {
        let mut rules = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let folded = word.to_ascii_lowercase();
            rules.push(match folded.as_str() {
                "permit_inet_interfaces" => Rule::InetInterfaces,
                "permit_mynetworks" => Rule::MyNetworks,
                "permit_sasl_authenticated" => Rule::LoggedIn,
                "permit_tls_all_clientcerts" => Rule::VerifiedCertificate,
                "permit_tls_clientcerts" => Rule::ListedCertificate,
                // `static:all`: a table needs no word before it.
                name if name == "check_address_map" || name.contains(':') => match Some(word)
                    .filter(|word| word.contains(':'))
                    .or_else(|| words.next())
                    .map(|map| opener.tables.maps(PARAMETER, map))
                {
                    Some(Ok(maps)) => Rule::Table(maps),
                    Some(Err(fault)) => {
                        opener.complain(PARAMETER, fault.to_string());
                        continue;
                    }
                    None => {
                        opener.complain(PARAMETER, format!("{PARAMETER}: check_address_map needs a table"));
                        continue;
                    }
                },
                _ => {
                    opener.complain(PARAMETER, format!("{PARAMETER}: unknown word \"{word}\""));
                    continue;
                }
            });
        }
        HeaderClients(rules)
    }

    /// The rules for headers of this client's mail.
    pub async fn context(
        &self,
        classes: &Classes,
        client: &ClientFacts,
        trail: &mut Trail,
    ) -> Result<Context, Trouble> {
        for rule in &self.0 {
            let applies = match rule {
                Rule::InetInterfaces => classes.is_own(client.address),
                Rule::MyNetworks => client.in_my_networks,
                Rule::LoggedIn => client.logged_in,
                Rule::VerifiedCertificate => client.verified_certificate,
                Rule::ListedCertificate => client.listed_certificate,
                Rule::Table(maps) => maps.find(&client.address.to_canonical().to_string()).await?.is_some(),
            };
            if applies {
                trail.note(|| Because {
                    parameter: PARAMETER.to_owned(),
                    key: Some(client.address.to_string()),
                    found: "headers are completed as for local mail".to_owned(),
                    ..Because::default()
                });
                return Ok(Context::Local);
            }
        }
        Ok(Context::Remote)
    }
}
