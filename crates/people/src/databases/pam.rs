//! `pam[:service]`: PAM, in a process of its own (see [`crate::outside`]).

use std::sync::Arc;

use mail::Trouble;

use super::{Checked, Kind, Opening, PassDb, Password, Request, elsewhere};
use crate::Boxed;
use crate::expand::{check, expand};
use crate::outside::{self, Job};

/// The kind.
pub const KIND: Kind = Kind {
    name: "pam",
    doc: "PAM; the service behind the colon is a file of /etc/pam.d, by default dovecot, and * the session's service.",
    passdb: Some(open),
    userdb: None,
};

/// As in Dovecot.
const SERVICE: &str = "dovecot";

struct Pam(String);

fn open(opening: &Opening<'_>) -> Result<Arc<dyn PassDb>, String> {
    opening.only(&[])?;
    let service = match opening.argument {
        "" => SERVICE,
        "*" => "%s",
        service => service,
    };
    if service.contains('/') {
        return Err(format!("{service}: the name of a file in /etc/pam.d is expected"));
    }
    check(service)?;
    Ok(Arc::new(Pam(service.to_owned())))
}

impl PassDb for Pam {
    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        Box::pin(async move {
            let service = expand(&self.0, &request.vars(), &|value| value.replace('/', "_"))
                .map_err(|wrong| Trouble::new(format!("pam: {wrong}")))?;
            let job = Job {
                program: None,
                service,
                user: request.user.to_owned(),
                password: password.clone(),
                remote: request.facts.remote.map(|remote| remote.to_string()).unwrap_or_default(),
            };
            elsewhere(move || outside::ask(&job)).await
        })
    }
}
