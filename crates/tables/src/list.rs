//! Match lists: `mynetworks`, `mydestination`, `relay_domains` and their like.

use std::net::IpAddr;
use std::sync::Arc;

use mail::Trouble;

use crate::{Fault, Parents, Tables};

/// A list of patterns, tried in order: `name`, `.parent`, `!negated`, `/file/name`, `type:table`, networks.
#[derive(Clone)]
pub struct List {
    parameter: Arc<str>,
}

impl Tables {
    /// A list of plain strings (`smtpd_sasl_mechanism_filter`, `fast_flush_domains` without parents).
    pub fn string_list(&self, parameter: &str, text: &str) -> Result<List, Fault> {
        let _ = (parameter, text);
        todo!()
    }

    /// A list of domains (`relay_domains`): a name matches itself, and its subdomains as `parents` says.
    pub fn domain_list(&self, parameter: &str, text: &str, parents: Parents) -> Result<List, Fault> {
        let _ = (parameter, text, parents);
        todo!()
    }

    /// A list of host names and network addresses (`mynetworks`, `smtpd_authorized_xclient_hosts`).
    pub fn host_list(&self, parameter: &str, text: &str, parents: Parents) -> Result<List, Fault> {
        let _ = (parameter, text, parents);
        todo!()
    }
}

impl List {
    /// The parameter this list belongs to.
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// No pattern at all.
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// Does the string or domain match?
    pub async fn matches(&self, name: &str) -> Result<bool, Trouble> {
        let _ = name;
        todo!()
    }

    /// Does the host match, by name or by address? An unknown name is `unknown`, as Postfix has it.
    pub async fn matches_host(&self, name: &str, address: IpAddr) -> Result<bool, Trouble> {
        let _ = (name, address);
        todo!()
    }
}
