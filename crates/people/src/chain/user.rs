//! The chain of user databases.

use std::sync::Arc;

use mail::Trouble;

use super::rule::{Action, Rule};
use crate::Fields;
use crate::databases::{Request, UserDb};

/// A database at its place.
pub struct UserLink {
    /// What the chain does with its answers.
    pub rule: Rule,
    /// The database.
    pub database: Arc<dyn UserDb>,
}

/// All of them, in order.
#[derive(Default)]
pub struct UserChain(pub Vec<UserLink>);

impl UserChain {
    /// The fields of a user, from every database that the rules want asked.
    ///
    /// # Errors
    /// A database failed, and no other knows the user.
    pub async fn find(&self, request: &Request<'_>) -> Result<Option<Fields>, Trouble> {
        let (mut yes, mut fields, mut trouble) = (false, Fields::default(), None);
        for link in &self.0 {
            if !link.rule.applies(request, yes) {
                continue;
            }
            let action = match link.database.find(request).await {
                Ok(Some(mut found)) => {
                    link.rule.complete(request, &mut found)?;
                    fields.extend(&found);
                    link.rule.success
                }
                Ok(None) => link.rule.failure,
                Err(failed) => {
                    trouble = Some(failed);
                    link.rule.trouble
                }
            };
            if !action.apply(&mut yes) {
                break;
            }
        }
        match (yes, trouble) {
            (true, _) => Ok(Some(fields)),
            (false, Some(trouble)) => Err(trouble),
            (false, None) => Ok(None),
        }
    }

    /// All names of all databases that can tell; each once, in the databases' order.
    ///
    /// # Errors
    /// A database failed, or none can tell.
    pub async fn users(&self) -> Result<Vec<String>, Trouble> {
        let (mut names, mut can_tell) = (Vec::new(), false);
        let mut seen = std::collections::HashSet::new();
        for link in self.0.iter().filter(|link| link.rule.success != Action::ReturnFail) {
            let Some(found) = link.database.users().await? else { continue };
            can_tell = true;
            names.extend(found.into_iter().filter(|name| seen.insert(name.clone())));
        }
        if can_tell { Ok(names) } else { Err(Trouble::new("no userdb can list its users")) }
    }
}
