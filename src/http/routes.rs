//! Every request of the API: its path, what it needs, and who answers it. The router is made of this table, so that nothing is
//! answered that does not say whom it is for.

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, Extension, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use super::api::{
    Addresses, AllowChanged, Allowlist, AuditLog, AuditQuery, AuditVerified, BanChanged, Bans, BansQuery,
    Checked, Confirmation, Counted, Counts, CountsQuery, DaemonSettings, DataSets, Decided, DisallowQuery,
    DnsQuery, DnsSeen, Ended, Enrolment, FiguresQuery, Held, HeldQuery, JailChange, JailSettings, JailStatus,
    JailSummaries, KnownBans, ListQuery, Listings, ListingsQuery, Lookup, NameLookup, NetworkLookup,
    NetworkQuery, NewAllow, NewBan, NewDecision, NewFailure, NewPasskey, NewPassword, NewReporter,
    NewSession, NewToken, NewUser, PasskeyAdded, PasskeyAnswer, PasskeyChallenge, Passkeys, RecoveryCodes,
    Reloaded, RemovalRequests, ReportQuery, Reported, Reporter, Reporters, RequestsQuery, Rotation, Sessions,
    SignedIn, Status, TakenOver, TokenMade, Tokens, UnbanQuery, User, UserChange, Users, Verification, Zones,
};
use super::api::{ChangeLine, ChangesQuery};
use super::audit::{self, Act, Audit, too_large};
use super::gate::Source;
use super::openapi::{self, Spoken};
use super::problem::Refused;
use super::{
    Steered, bans, changes, dns, etag, figures, jails, lists, lookup, network, passkeys, reporters, reports,
    requests, session, takeover, tokens, users,
};
use crate::access::{Permission, Principal};
use crate::clock::Timestamp;
use crate::report::Figures;
use subtle::ConstantTimeEq;
use utoipa::{IntoParams, ToSchema};

/// The largest body of a request: an order with a reason is far smaller.
const MAX_BODY: usize = 64 * 1024;

/// The same for bans that are taken over, many at once and with the lines that led to them.
const MAX_TAKEOVER: usize = 2 << 20;

/// The same for a question about many addresses: as many as may be asked about, each with its quotes and some space.
const MAX_LOOKUP: usize = super::api::MAX_ADDRESSES * 48;

/// The same for reports, as they are sent; `hub::MAX_DECOMPRESSED` bounds what becomes of them.
const MAX_REPORTS: usize = 4 << 20;

/// The forms of reports.
const REPORTS: &[&str] = &["application/json", "application/x-ndjson", "text/csv"];

/// What of the jails and zones a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of them: it is not for those who are confined to some.
    Whole,
    /// The `{jail}` of its path.
    Jail,
    /// Those that whoever asks is confined to; the handler sees to that.
    Own,
}

/// One request that is answered.
pub struct Route {
    /// Its method, in small letters.
    pub method: &'static str,
    /// Its path behind [`super::api::BASE`].
    pub path: &'static str,
    /// What whoever asks must be allowed.
    pub needs: Permission,
    /// And on what.
    pub reach: Reach,
    /// The largest body, in bytes.
    body: usize,
    /// What is written down of it.
    audit: Audit,
    /// Whether whoever has signed in must have shown a short time ago that it is they.
    is_grave: bool,
    /// The name of the function that answers.
    pub(super) name: &'static str,
    /// What it takes and gives.
    pub(super) spoken: Spoken,
    router: fn() -> MethodRouter<Steered>,
}

impl Route {
    /// A request that is answered by `router`, in which a function of this name stands.
    pub(super) const fn new(
        (method, path, name): (&'static str, &'static str, &'static str),
        needs: Permission,
        reach: Reach,
        router: fn() -> MethodRouter<Steered>,
    ) -> Self {
        let (audit, is_grave) = (audited(method, needs), is_grave(method, needs));
        let (body, spoken) = (MAX_BODY, Spoken::NOTHING);
        Self { method, path, needs, reach, body, audit, is_grave, name, spoken, router }
    }

    /// Whether `principal` may have it answered, on some jail or zone at least.
    pub(super) fn is_for(&self, principal: &Principal) -> bool {
        principal.may(self.needs) && self.is_within_reach(principal)
    }

    /// Whether it is about no more than `principal` may see.
    fn is_within_reach(&self, principal: &Principal) -> bool {
        self.reach != Reach::Whole || !principal.grant().is_confined()
    }

    /// Whether whoever asks may keep the answer of the API, until another one is given: there are no secrets in it.
    pub(super) const fn is_kept(&self) -> bool {
        matches!(self.method.as_bytes(), b"get")
            && matches!(self.needs, Permission::Read | Permission::Nothing)
    }

    /// What is written down of `request`. Reports are counted and kept elsewhere, but not who speaks for an organisation that is
    /// not theirs.
    fn audit_of(&self, principal: Option<&Principal>, request: &Request) -> Audit {
        let is_of_another = principal.is_some_and(|principal| principal.organisation().is_none());
        let is_local = request.extensions().get::<Source>() == Some(&Source::Socket);
        if self.needs == Permission::Report && is_of_another && !is_local {
            Audit::Unread
        } else {
            self.audit
        }
    }

    /// Whether its body is read, at least to be written down.
    pub(super) fn reads_body(&self) -> bool {
        self.spoken.takes_body() || self.audit != Audit::Nothing
    }

    /// Its body holds a secret.
    pub(super) const fn masked(mut self) -> Self {
        self.audit = Audit::Masked;
        self
    }

    /// It cannot be undone.
    pub(super) const fn grave(mut self) -> Self {
        self.is_grave = true;
        self
    }

    pub(super) const fn body(mut self, most: usize) -> Self {
        self.body = most;
        self
    }

    const fn query<Q: IntoParams>(mut self) -> Self {
        self.spoken = self.spoken.query::<Q>();
        self
    }

    const fn fails(mut self, statuses: &'static [u16]) -> Self {
        self.spoken = self.spoken.fails(statuses);
        self
    }

    const fn takes<T: ToSchema>(mut self) -> Self {
        self.spoken = self.spoken.takes::<T>();
        self
    }

    const fn takes_media(mut self, media: &'static [&'static str]) -> Self {
        self.spoken = self.spoken.takes_media(media);
        self
    }

    const fn gives_lines<T: ToSchema>(mut self) -> Self {
        self.spoken = self.spoken.gives_lines::<T>();
        self
    }

    const fn gives<T: ToSchema>(mut self) -> Self {
        self.spoken = self.spoken.gives::<T>();
        self
    }
}

/// A row of a table of requests.
macro_rules! route {
    ($method:ident $path:literal, $needs:ident, $reach:ident, $handler:path) => {
        $crate::http::routes::Route::new(
            (stringify!($method), $path, stringify!($handler)),
            $crate::access::Permission::$needs,
            $crate::http::routes::Reach::$reach,
            || axum::routing::$method($handler),
        )
    };
}
pub(super) use route;

/// What only administrators may change is.
const fn is_grave(method: &str, needs: Permission) -> bool {
    !matches!(method.as_bytes(), b"get") && matches!(needs, Permission::Administer)
}

/// Whatever changes something is; reports come by the thousand, and are kept as such, and who signs in is written down
/// once it is known who it is.
const fn audited(method: &str, needs: Permission) -> Audit {
    if matches!(method.as_bytes(), b"get")
        || matches!(needs, Permission::Read | Permission::Report | Permission::Nothing)
    {
        Audit::Nothing
    } else {
        Audit::Whole
    }
}

/// The table.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    route!(get "/openapi.json", Nothing, Own, openapi::describe),
    route!(get "/status", Read, Own, bans::status).gives::<Status>(),
    route!(get "/jails", Read, Own, lists::jails).query::<ListQuery>().gives::<JailSummaries>(),
    route!(get "/jails/{jail}", Read, Jail, bans::jail).gives::<JailStatus>().fails(&[404]),
    route!(get "/jails/{jail}/settings", Read, Jail, jails::settings).gives::<JailSettings>().fails(&[404]),
    route!(patch "/jails/{jail}/settings", Administer, Jail, jails::adjust).takes::<JailChange>().gives::<JailSettings>().fails(&[404]),
    route!(post "/jails/{jail}/failures", Operate, Jail, jails::fail).takes::<NewFailure>().gives::<Counted>().fails(&[404]),
    route!(get "/bans", Read, Own, bans::list).query::<BansQuery>().gives::<Bans>().fails(&[404, 422]),
    route!(post "/bans", Operate, Own, bans::ban).takes::<NewBan>().gives::<BanChanged>().fails(&[404, 409]),
    route!(delete "/bans", Operate, Own, bans::unban).query::<UnbanQuery>().gives::<Ended>().fails(&[404, 422]),
    route!(get "/failures", Read, Own, lists::failures).query::<CountsQuery>().gives::<Counts>().fails(&[404, 422]),
    route!(get "/zones", Read, Own, lists::zones).gives::<Zones>(),
    route!(get "/listings", Read, Own, lists::listings).query::<ListingsQuery>().gives::<Listings>().fails(&[404, 422]),
    route!(get "/datasets", Read, Own, lists::data_sets).gives::<DataSets>(),
    route!(get "/changes", Read, Own, changes::changes).query::<ChangesQuery>().gives_lines::<ChangeLine>().fails(&[404, 410, 422]),
    route!(get "/lookup/{address}", Read, Own, lookup::lookup).gives::<Lookup>().fails(&[422]),
    route!(get "/lookup", Read, Own, network::look_up).query::<NetworkQuery>().gives::<NetworkLookup>().fails(&[422]),
    route!(post "/lookup", Read, Own, lookup::many).takes::<Addresses>().gives::<Checked>().body(MAX_LOOKUP),
    route!(get "/names/{name}", Read, Own, lookup::name).gives::<NameLookup>().fails(&[422]),
    route!(get "/dns", Read, Whole, dns::seen).query::<DnsQuery>().gives::<DnsSeen>(),
    route!(get "/figures", Read, Own, figures::figures).query::<FiguresQuery>().gives::<Figures>().fails(&[404, 422]),
    route!(get "/allow", Read, Whole, bans::allowlist).query::<ListQuery>().gives::<Allowlist>().fails(&[422]),
    route!(post "/allow", Operate, Whole, bans::allow).takes::<NewAllow>().gives::<AllowChanged>().fails(&[409]),
    route!(delete "/allow", Operate, Whole, bans::disallow).query::<DisallowQuery>().gives::<Ended>().fails(&[404]),
    route!(post "/reports", Report, Own, reports::report).query::<ReportQuery>().takes_media(REPORTS).gives::<Reported>().body(MAX_REPORTS),
    route!(get "/reporters", Read, Whole, reporters::list).query::<ListQuery>().gives::<Reporters>(),
    route!(get "/reporters/{reporter}", Read, Whole, reporters::one).gives::<Reporter>().fails(&[404, 422]),
    route!(patch "/reporters/{reporter}", Administer, Whole, reporters::change).takes::<NewReporter>().gives::<Reporter>().fails(&[404]),
    route!(delete "/reporters/{reporter}/votes", Administer, Whole, reporters::withdraw).gives::<Ended>().fails(&[404, 422]),
    route!(get "/held", Read, Whole, reporters::held).query::<ListQuery>().gives::<Held>().fails(&[422]),
    route!(post "/held/release", Operate, Whole, reporters::release).query::<HeldQuery>().gives::<Ended>().fails(&[404, 422]),
    route!(delete "/held", Operate, Whole, reporters::discard).query::<HeldQuery>().gives::<Ended>().fails(&[404, 422]),
    route!(get "/requests", Operate, Whole, requests::list).query::<RequestsQuery>().gives::<RemovalRequests>().fails(&[422]),
    route!(post "/requests/{number}", Operate, Whole, requests::decide).takes::<NewDecision>().gives::<Decided>().fails(&[404, 409]),
    route!(post "/takeover", Administer, Whole, takeover::take_over).takes::<KnownBans>().gives::<TakenOver>().body(MAX_TAKEOVER),
    route!(get "/settings", Administer, Whole, jails::of_daemon).gives::<DaemonSettings>(),
    route!(post "/reload", Administer, Whole, bans::reload).gives::<Reloaded>().fails(&[422]),
    route!(get "/tokens", Administer, Whole, tokens::list).query::<ListQuery>().gives::<Tokens>().fails(&[422]),
    route!(post "/tokens", Administer, Whole, tokens::add).takes::<NewToken>().gives::<TokenMade>().fails(&[409]),
    route!(delete "/tokens/{token}", Administer, Whole, tokens::revoke).gives::<Ended>().fails(&[404]),
    route!(post "/tokens/{token}/rotate", Administer, Whole, tokens::rotate).takes::<Rotation>().gives::<TokenMade>().fails(&[404]),
    route!(post "/session", Nothing, Own, session::open).takes::<NewSession>().gives::<SignedIn>().fails(&[409]),
    route!(get "/session", Own, Own, session::show).gives::<SignedIn>(),
    route!(delete "/session", Own, Own, session::end).gives::<Ended>(),
    route!(post "/session/verify", Own, Own, session::verify).takes::<Verification>().gives::<SignedIn>().masked(),
    route!(post "/session/password", Own, Own, session::password).takes::<NewPassword>().gives::<SignedIn>().masked(),
    route!(post "/session/totp", Own, Own, session::begin_totp).gives::<Enrolment>().grave(),
    route!(post "/session/totp/confirm", Own, Own, session::confirm_totp).takes::<Confirmation>().gives::<RecoveryCodes>().masked().fails(&[409]),
    route!(delete "/session/totp", Own, Own, session::remove_totp).gives::<Ended>().grave(),
    route!(post "/session/passkey/challenge", Nothing, Own, passkeys::ask).gives::<PasskeyChallenge>().fails(&[409]),
    route!(post "/session/passkey", Nothing, Own, passkeys::open).takes::<PasskeyAnswer>().gives::<SignedIn>().fails(&[409]),
    route!(post "/session/passkey/verify", Own, Own, passkeys::verify).takes::<PasskeyAnswer>().gives::<SignedIn>().masked().fails(&[409]),
    route!(get "/session/passkeys", Own, Own, passkeys::list).gives::<Passkeys>(),
    route!(post "/session/passkeys/challenge", Own, Own, passkeys::begin).gives::<PasskeyChallenge>().grave().fails(&[409]),
    route!(post "/session/passkeys", Own, Own, passkeys::add).takes::<NewPasskey>().gives::<PasskeyAdded>().grave().masked().fails(&[409]),
    route!(delete "/session/passkeys/{passkey}", Own, Own, passkeys::remove).gives::<Ended>().grave().fails(&[404]),
    route!(get "/sessions", Own, Own, session::list).gives::<Sessions>(),
    route!(delete "/sessions/{session}", Own, Own, session::revoke).gives::<Ended>().fails(&[404]),
    route!(get "/users", Administer, Whole, users::list).query::<ListQuery>().gives::<Users>(),
    route!(post "/users", Administer, Whole, users::add).takes::<NewUser>().gives::<User>().masked().fails(&[409]),
    route!(patch "/users/{user}", Administer, Whole, users::change).takes::<UserChange>().gives::<User>().masked().fails(&[404]),
    route!(delete "/users/{user}", Administer, Whole, users::remove).gives::<Ended>().fails(&[404]),
    route!(post "/users/{user}/totp", Administer, Whole, users::begin_totp).gives::<Enrolment>().fails(&[404]),
    route!(post "/users/{user}/totp/confirm", Administer, Whole, users::confirm_totp).takes::<Confirmation>().gives::<RecoveryCodes>().masked().fails(&[404, 409]),
    route!(delete "/users/{user}/totp", Administer, Whole, users::remove_totp).gives::<Ended>().fails(&[404]),
    route!(get "/users/{user}/passkeys", Administer, Whole, passkeys::list_of).gives::<Passkeys>(),
    route!(delete "/users/{user}/passkeys/{passkey}", Administer, Whole, passkeys::remove_of).gives::<Ended>().fails(&[404]),
    route!(get "/users/{user}/sessions", Administer, Whole, users::sessions).gives::<Sessions>(),
    route!(delete "/users/{user}/sessions", Administer, Whole, users::end_sessions).gives::<Ended>(),
    route!(delete "/users/{user}/attempts", Administer, Whole, users::unlock).gives::<Ended>(),
    route!(get "/audit", Administer, Whole, audit::list).query::<AuditQuery>().gives::<AuditLog>().fails(&[422]),
    route!(get "/audit/verify", Administer, Whole, audit::verify).gives::<AuditVerified>(),
];

/// Answers what is in the table, for those who may have it answered: the [`Principal`] is an extension of the request. Of some,
/// as `is_kept` says, the answer may be kept.
pub(super) fn router(
    daemon: &Steered,
    table: &'static [Route],
    is_kept: fn(&Route) -> bool,
) -> Router<Steered> {
    let add = |router: Router<Steered>, route: &'static Route| {
        let daemon = Steered::clone(daemon);
        let guard = from_fn(move |params, request, next| {
            guard(route, is_kept(route), Steered::clone(&daemon), params, request, next)
        });
        let answer = (route.router)().route_layer(DefaultBodyLimit::max(route.body)).route_layer(guard);
        router.route(route.path, answer)
    };
    table.iter().fold(Router::new(), add)
}

async fn guard(
    route: &'static Route,
    is_kept: bool,
    daemon: Steered,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let principal = request.extensions().get::<Principal>();
    let admitted = admit(route, &params, principal, request.headers(), daemon.now());
    let admitted = admitted.and_then(|()| check_size(route, request.body()));
    let sees_all = principal.is_some_and(Principal::sees_all);
    let audit = route.audit_of(principal, &request);
    let act =
        principal.filter(|_| audit != Audit::Nothing).map(|principal| Act::of(daemon, principal, &request));
    // Of people the browser keeps nothing, since others may sit down at it.
    let is_person = principal.is_some_and(|principal| principal.session().is_some());
    let known = (is_kept && !is_person).then(|| etag::known(request.headers()));
    let response = match (admitted, act) {
        (Ok(()), None) => next.run(request).await,
        (Ok(()), Some(act)) => act.carry_out(request, next, route.body, audit).await,
        (Err(refused), None) => refuse(refused, request).await,
        (Err(refused), Some(act)) => act.end(refuse(refused, request).await).await,
    };
    let response = if sees_all { response } else { veiled(response) };
    match known {
        Some(known) => etag::tag(known, response).await,
        None => ([(CACHE_CONTROL, "no-store")], response).into_response(),
    }
}

/// What is announced to be too large is not waited for.
fn check_size(route: &Route, body: &Body) -> Result<(), Refused> {
    if body.size_hint().lower() > route.body as u64 { Err(too_large(route.body)) } else { Ok(()) }
}

async fn refuse(refused: Refused, request: Request) -> Response {
    let (head, body) = request.into_parts();
    refused.after(&head.headers, body).await
}

/// A failure as those are told who do not see what is wrong with the daemon.
fn veiled(mut response: Response) -> Response {
    match response.extensions_mut().remove::<Refused>() {
        Some(refused) => refused.veiled().into_response(),
        None => response,
    }
}

fn admit(
    route: &Route,
    params: &RawPathParams,
    principal: Option<&Principal>,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<(), Refused> {
    if route.needs == Permission::Nothing {
        return Ok(());
    }
    let principal = principal.ok_or_else(Refused::unknown)?;
    check_session(route, principal, headers)?;
    if !principal.may(route.needs) {
        return Err(Refused::forbidden(why_not(principal)));
    }
    check_reach(route, params, principal)?;
    if route.is_grave && !principal.is_certain(now) {
        return Err(Refused::uncertain());
    }
    Ok(())
}

fn why_not(principal: &Principal) -> String {
    if principal.session().is_some_and(|session| session.must_enrol) {
        return "set up a second factor first, with `POST /api/v1/session/totp`".to_owned();
    }
    format!("the role {} may not do this; ask an administrator", principal.grant().role)
}

/// Where browsers write the token of the session, which a page of another site cannot read.
pub(super) const CSRF: &str = "x-csrf-token";

fn check_session(route: &Route, principal: &Principal, headers: &HeaderMap) -> Result<(), Refused> {
    let Some(session) = principal.session() else {
        let is_own = route.needs == Permission::Own;
        let detail = "this is for users who have signed in, and you have not";
        return if is_own { Err(Refused::forbidden(detail)) } else { Ok(()) };
    };
    let shown = headers.get(CSRF).map_or(&b""[..], |token| token.as_bytes());
    if route.method == "get" || shown.ct_eq(session.csrf.as_bytes()).into() {
        return Ok(());
    }
    Err(Refused::forbidden("send the `csrf` of `GET /api/v1/session` as `X-CSRF-Token`"))
}

fn check_reach(route: &Route, params: &RawPathParams, principal: &Principal) -> Result<(), Refused> {
    let jail = params.iter().find(|(name, _)| *name == "jail").map(|(_, jail)| jail);
    match (route.reach, jail) {
        (Reach::Own, _) => Ok(()),
        (Reach::Jail, Some(jail)) => own_jail(principal, jail),
        _ if !route.is_within_reach(principal) => Err(Refused::forbidden(
            "this is about all jails and zones, and you are confined to some; ask an administrator",
        )),
        _ => Ok(()),
    }
}

/// Whether `principal` may have to do with `jail`.
pub(super) fn own_jail(principal: &Principal, jail: &str) -> Result<(), Refused> {
    if principal.grant().has_jail(jail) {
        return Ok(());
    }
    Err(Refused::forbidden(format!("the jail `{jail}` is none of those that you are confined to")))
}

/// The same; those who are confined to jails must name one.
pub(super) fn own_jail_if_any(principal: &Principal, jail: Option<&str>) -> Result<(), Refused> {
    match (jail, &principal.grant().jails) {
        (Some(jail), _) => own_jail(principal, jail),
        (None, None) => Ok(()),
        (None, Some(jails)) => Err(Refused::forbidden(format!(
            "name the jail with `jail=`, as you are confined to {}",
            jails.join(", ")
        ))),
    }
}

/// The caller, as handlers take it.
pub(super) type By = Extension<Principal>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_with_a_jail_are_about_one() {
        for Route { path, reach, .. } in ROUTES {
            assert_eq!(*reach == Reach::Jail, path.contains("{jail}"), "{path}");
        }
    }

    #[test]
    fn whoever_only_reads_changes_nothing() {
        for Route { method, path, needs, .. } in ROUTES {
            // The addresses that are looked up would not fit into a path.
            let only_looks = *method == "get" || *path == "/lookup";
            assert!(only_looks || *needs != Permission::Read, "{method} {path}");
        }
    }
}
