//! Who a message truly comes from: DKIM, SPF, DMARC and ARC, and the signatures put on our own.
