//! Validity periods: how long certificates are valid, and when a third of that time is left.

use jiff::{SignedDuration, Timestamp};
use rcgen::CertificateParams;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How far a clock may be off in either direction: a day and a little more.
const OFF: SignedDuration = SignedDuration::from_hours(26);

/// How much two clocks may differ when one is ahead and the other behind.
///
/// Certificates are backdated by this, so that the certificate of a replica whose clock is ahead is valid for all
/// others. A certificate counts as expired for all this long after its end.
pub const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(2 * OFF.as_hours());

/// The period in which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    /// First moment of validity.
    pub(crate) not_before: Timestamp,
    /// Last moment of validity.
    pub(crate) not_after: Timestamp,
}

impl Validity {
    /// A period around `now`: backdated by [`CLOCKS_DIFFER`], and `life` long from `now`. Saturates at the calendar's
    /// end.
    pub(crate) fn starting(now: Timestamp, life: SignedDuration) -> Self {
        Self {
            not_before: now.saturating_sub(CLOCKS_DIFFER).unwrap_or(now),
            not_after: now.saturating_add(life).unwrap_or(Timestamp::MAX),
        }
    }

    /// Reads the period of a parsed certificate.
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Self {
        let second = |at: i64| Timestamp::from_second(at).unwrap_or(Timestamp::MAX);
        Self {
            not_before: second(certificate.validity().not_before.timestamp()),
            not_after: second(certificate.validity().not_after.timestamp()),
        }
    }

    /// Reads the period of a certificate in DER form.
    pub(crate) fn of_der(der: &[u8]) -> Option<Self> {
        X509Certificate::from_der(der).ok().map(|(_, certificate)| Self::of(&certificate))
    }

    /// When one third of the period is left.
    pub(crate) fn renew_at(&self) -> Timestamp {
        let third = self.not_after.duration_since(self.not_before) / 3;
        self.not_after.saturating_sub(third).unwrap_or(self.not_before)
    }

    /// Writes the period into the parameters of a certificate to be signed.
    pub(crate) fn write(&self, params: &mut CertificateParams) {
        // Adding seconds to the epoch avoids a direct dependency on the date library of the signer.
        let moment = |at: Timestamp| {
            let seconds = u64::try_from(at.as_second()).unwrap_or(0);
            rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
        };
        params.not_before = moment(self.not_before);
        params.not_after = moment(self.not_after);
    }
}
