//! The company and its founding.

use crate::domain::dice::Dice;
use crate::domain::event::{CompanyFounded, Event, UserRegistered};
use crate::domain::id::{CompanyId, Sequence, TaskId, UserId};
use crate::domain::pricing::{Price, PriceRange, price};
use crate::domain::rejection::Rejection;
use crate::domain::role::Role;
use crate::domain::text;
use crate::domain::time::{BusinessDate, EventTime, Zone};

/// The last event of the founding. The company and its first admin are the first batch of every
/// log.
pub const FOUNDED: Sequence = Sequence(2);

/// The facts that are fixed at founding.
#[derive(Clone, Debug)]
pub struct Company {
    pub id: CompanyId,
    pub name: String,
    pub zone: Zone,
    pub currency: String,
    pub pricing: PriceRange,
    /// The local date of the founding: the first business date.
    pub first_date: BusinessDate,
    pub test_clock: bool,
}

impl Company {
    /// # Errors
    /// [`Rejection::BadTimeZone`] if this build's time-zone database does not know the zone.
    pub fn from_founding(founded: &CompanyFounded, at: EventTime) -> Result<Company, Rejection> {
        let zone = named_zone(&founded.time_zone)?;
        Ok(Company {
            id: founded.company_id,
            name: founded.name.clone(),
            first_date: zone.date_of(at),
            zone,
            currency: founded.currency.clone(),
            pricing: founded.pricing,
            test_clock: founded.test_clock,
        })
    }

    /// The first date that is not closed, without dates that the zone skips.
    pub fn first_open_date(&self, last_closed: Option<BusinessDate>) -> BusinessDate {
        let Some(closed) = last_closed else {
            return self.first_date;
        };
        let mut date = closed.next();
        while !self.zone.has_date(date) {
            date = date.next();
        }
        date
    }

    /// The price of a task of this company (rule A1).
    pub fn price_of(&self, task: TaskId) -> Price {
        price(self.id, task, &self.pricing)
    }
}

/// Founds a company together with its first admin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundCompany {
    pub name: String,
    pub time_zone: String,
    pub currency: String,
    pub admin_login: String,
    pub admin_name: String,
    pub admin_email: String,
    pub test_clock: bool,
}

impl FoundCompany {
    /// `company.founded` and the admin's `user.registered`, in one batch.
    ///
    /// # Errors
    /// If a text is not well formed.
    pub fn decide(&self, at: EventTime, dice: &mut dyn Dice) -> Result<Vec<Event>, Rejection> {
        check_time_zone(&self.time_zone)?;
        check_currency(&self.currency)?;
        text::check_login(&self.admin_login)?;
        let founded = CompanyFounded {
            company_id: CompanyId::from_uuid(dice.uuid_v7(at)),
            name: text::check_name(&self.name)?,
            time_zone: named_zone(&self.time_zone)?.name().to_owned(),
            currency: self.currency.clone(),
            pricing: PriceRange::STANDARD,
            test_clock: self.test_clock,
        };
        let admin = UserRegistered {
            user_id: UserId::from_uuid(dice.uuid_v7(at)),
            login: self.admin_login.clone(),
            full_name: text::check_name(&self.admin_name)?,
            email: text::check_email(&self.admin_email)?,
            role: Role::Admin,
        };
        Ok(vec![founded.into(), admin.into()])
    }
}

/// # Errors
/// [`Rejection::BadTimeZone`]
pub fn check_time_zone(name: &str) -> Result<(), Rejection> {
    if named_zone(name)?.is_unset() {
        return Err(Rejection::BadTimeZone {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// # Errors
/// [`Rejection::BadCurrency`]
pub fn check_currency(currency: &str) -> Result<(), Rejection> {
    if has_two_minor_digits(currency) {
        return Ok(());
    }
    Err(Rejection::BadCurrency {
        currency: currency.to_owned(),
    })
}

/// The earliest founding, because closing a longer past would go through tens of thousands of
/// dates.
const EARLIEST: &str = "2000-01-01T00:00:00Z";

/// # Errors
/// [`Rejection::FoundedInFuture`], [`Rejection::FoundedTooEarly`]
pub fn check_founded(founded: EventTime, now: EventTime) -> Result<(), Rejection> {
    let earliest: EventTime = EARLIEST.parse().expect("a constant time");
    if founded > now {
        return Err(Rejection::FoundedInFuture { founded, now });
    }
    if founded < earliest {
        return Err(Rejection::FoundedTooEarly { founded, earliest });
    }
    Ok(())
}

fn named_zone(name: &str) -> Result<Zone, Rejection> {
    Zone::named(name).map_err(|_| Rejection::BadTimeZone {
        name: name.to_owned(),
    })
}

/// The codes of ISO 4217 with two minor digits.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD \
    CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD \
    HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU \
    MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK \
    SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD \
    XCG YER ZAR ZMW ZWG";

fn has_two_minor_digits(currency: &str) -> bool {
    CURRENCIES.split(' ').any(|code| code == currency)
}
