//! smtpd(8): the policy of an SMTP session.
