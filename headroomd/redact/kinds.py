"""Secrets that can be told by their own shape: one row a kind, as data.

Lower bounds on lengths are well under what vendors issue, because excerpts cut tokens in two and half a token is
still half a secret. Shapes are from the vendors' documentation and the public rule sets of secret scanners.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from headroomd.redact.values import is_innocent

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True)
class Kind:
    """A kind of secret. `pattern` is tried only on texts that hold one of `gates` (a literal search is far cheaper)."""

    name: str  # what replaces it, in brackets
    gates: tuple[str, ...]
    pattern: str
    flags: re.RegexFlag
    group: int = 0  # the part of the match that is secret

    def redact(self, text: str) -> str:
        """`text` with every secret of this kind replaced; placeholders stay."""
        return self._compiled.sub(self._replacement, text)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        """Compiled when a text first holds a gate: few ever do, and compiling all takes longer than `status`."""
        return re.compile(self.pattern, self.flags)

    def _replacement(self, match: re.Match[str]) -> str:
        if is_innocent(match[self.group]):
            return match[0]
        start, end = match.start(self.group) - match.start(), match.end(self.group) - match.start()
        return f"{match[0][:start]}[{self.name}]{match[0][end:]}"


_START: Final = r"(?<![A-Za-z0-9])"  # a token does not begin inside a word


def _kind(name: str, gates: str, pattern: str, group: int = 0, *, start: str = _START) -> Kind:
    return Kind(name, tuple(gates.split()), start + pattern, re.ASCII, group)


def _prefix(name: str, prefixes: str, body: str = r"[\w-]{16,}") -> Kind:
    """Tokens that begin with one of `prefixes`, which are their gates as well."""
    alternatives = "|".join(re.escape(prefix) for prefix in prefixes.split())
    return _kind(name, prefixes, f"(?:{alternatives}){body}")


_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

KINDS: Final[tuple[Kind, ...]] = (
    # Long runs of base64 first: what looks like another kind inside of them would cut them in two
    _kind("private-key", "b3BlbnNzaC1rZXktdjE", r"b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=\s]*", start=""),
    _kind("private-key", "Private-MAC:", r"Private-MAC:\s*([0-9a-f]+)", 1),  # of a PuTTY key
    _kind("private-key", "Private-Lines:", r"Private-Lines:\s*[0-9]+\s+([A-Za-z0-9+/=\s]+)", 1),
    _kind("private-key", "PrivateKey", r"PrivateKey\s*=\s*([A-Za-z0-9+/=]{16,})", 1),  # of WireGuard
    _kind("azure-key", "==", r"[A-Za-z0-9+/]{86}==", start=r"(?<![A-Za-z0-9+/])(?<!sha512-)"),  # not an SRI hash
    # Clouds
    _prefix("aws-key", "AKIA ASIA ABIA ACCA AIDA AROA", r"[A-Z0-9]{12,}"),
    _prefix("aws-key", "ABSK", r"[A-Za-z0-9+/=]{30,}"),
    _prefix("aws-key", "amzn.mws.", r"[0-9a-f-]{16,}"),
    _prefix("google-key", "AIza", r"[\w-]{24,}"),
    _prefix("google-secret", "GOCSPX-"),
    _prefix("google-token", "ya29.", r"[\w.-]{16,}"),
    _prefix("google-token", "1//0"),
    _kind("azure-secret", "~", r"[\w.~-]{3}[0-9]Q~[\w.~-]{20,}"),
    _kind("azure-sas", "sig=", r"sig=([A-Za-z0-9%/+=_-]{16,})", 1),
    _prefix("alibaba-key", "LTAI", r"[A-Za-z0-9]{12,}"),
    _prefix("tencent-key", "AKID", r"[A-Za-z0-9]{13,}"),
    _prefix("yandex-key", "AQVN", r"[\w-]{30,}"),
    _prefix("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_"),
    _prefix("heroku-key", "HRKU-"),
    _prefix("cloudflare-key", "v1.0-", r"[0-9a-f]{20,}-[0-9a-f]{20,}"),
    _prefix("cloudflare-token", "cfut_ cfat_ cfk_"),
    _prefix("netlify-token", "nfp_ nfc_ nfu_ nfo_"),
    _prefix("vercel-token", "vcp_ vci_ vca_ vcr_ vck_ vercel_blob_rw_"),
    _prefix("supabase-key", "sbp_ sb_secret_ sb_publishable_"),
    _prefix("planetscale-token", "pscale_tkn_ pscale_pw_ pscale_oauth_", r"[\w.=-]{16,}"),
    _prefix("fly-token", "FlyV1 fm1_ fm2_ fo1_", r"[\w+/=, -]{16,}"),
    _prefix("render-key", "rnd_", r"[A-Za-z0-9]{20,}"),
    _prefix("scaleway-key", "SCW", r"[A-Z0-9]{17}(?![A-Za-z0-9])"),
    # Code hosting, packages, builds
    _prefix("github-token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_"),
    _prefix(
        "gitlab-token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent- gloas- glimt- GR1348941",
        r"[\w.-]{12,}",
    ),
    _prefix("bitbucket-token", "ATBB ATCTT3x", r"[\w=-]{16,}"),
    _prefix("atlassian-token", "ATATT3x", r"[\w=-]{16,}"),
    _prefix("npm-token", "npm_", r"[A-Za-z0-9]{20,}"),
    _prefix("pypi-token", "pypi-Ag"),
    _prefix("rubygems-key", "rubygems_", r"[0-9a-f]{20,}"),
    _prefix("crates-token", "cio", r"[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
    _prefix("nuget-key", "oy2", r"[a-z0-9]{43}"),
    _prefix("clojars-token", "CLOJARS_", r"[0-9a-z]{20,}"),
    _prefix("docker-token", "dckr_pat_ dckr_oat_"),
    _prefix("circleci-token", "CCIPAT_ CCIPRJ_"),
    _prefix("buildkite-token", "bkua_ bkaj_"),
    _prefix("sonar-token", "sqp_ squ_ sqa_", r"[0-9a-f]{20,}"),
    _prefix("jfrog-token", "AKCp cmVmdGtu", r"[A-Za-z0-9]{16,}"),
    # Messages
    _prefix("slack-token", "xoxb- xoxp- xoxa- xoxr- xoxs- xoxe- xoxo- xapp- xoxe.", r"[\w.-]{10,}"),
    _kind("slack-webhook", "hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/([\w/-]+)", 1),
    _kind("discord-webhook", "/api/webhooks/", r"/api/webhooks/([0-9]+/[\w-]+)", 1, start=""),
    _kind("discord-token", "MD MT Mj Mz ND NT Nj Nz OD OT", r"[MNO][DTjz][\w-]{21,26}\.[\w-]{6}\.[\w-]{20,}"),
    _kind("teams-webhook", "webhook.office.com", r"webhook\.office\.com/(?:webhookb2|webhook)/([\w@/-]+)", 1, start=""),
    _kind("telegram-token", ":AA", r"[0-9]{6,12}:AA[\w-]{24,}"),
    _kind("twilio-key", "SK AC", r"(?:SK|AC)[0-9a-f]{32}"),
    _prefix("sendgrid-key", "SG.", r"[\w-]{12,}\.[\w-]{8,}"),
    _kind("mailgun-key", "key-", r"key-[0-9a-f]{32}"),
    _kind("mailchimp-key", "-us", r"[0-9a-f]{32}-us[0-9]{1,2}"),
    _prefix("brevo-key", "xkeysib- xsmtpsib-"),
    _kind("resend-key", "re_", r"re_[A-Za-z0-9]{6,10}_[A-Za-z0-9]{16,}"),
    # Money and shops
    _prefix("stripe-key", "sk_live_ sk_test_ rk_live_ rk_test_ pk_live_ pk_test_", r"[A-Za-z0-9]{8,}"),
    _prefix("stripe-secret", "whsec_", r"[A-Za-z0-9+/=]{16,}"),
    _prefix("square-token", "sq0atp- sq0csp- sq0idp- EAAAE EAAAl"),
    _prefix("shopify-token", "shpat_ shpca_ shppa_ shpss_ shpua_", r"[0-9a-fA-F]{16,}"),
    _kind("braintree-token", "access_token$", r"access_token\$(?:production|sandbox)\$\w{8,}\$[0-9a-f]{16,}"),
    _kind("plaid-token", "access-", r"access-(?:sandbox|development|production)-[0-9a-f-]{16,}"),
    _prefix("flutterwave-key", "FLWSECK"),
    _prefix("easypost-key", "EZAK EZTK", r"[A-Za-z0-9]{40,}"),
    _prefix("shippo-token", "shippo_live_ shippo_test_"),
    # Models
    _prefix("anthropic-key", "sk-ant-"),
    _prefix("openrouter-key", "sk-or-"),
    _prefix("openai-key", "sk-proj- sk-svcacct- sk-admin- sk-None-"),
    _kind("api-key", "sk-", r"sk-(?=[A-Za-z_-]{0,40}[0-9])[\w-]{20,}", start=r"(?<![\w-])"),
    _prefix("elevenlabs-key", "sk_", r"[0-9a-f]{40,}"),
    _prefix("huggingface-token", "hf_ api_org_", r"[A-Za-z0-9]{20,}"),
    _prefix("replicate-token", "r8_", r"[A-Za-z0-9]{20,}"),
    _prefix("groq-key", "gsk_", r"[A-Za-z0-9]{20,}"),
    _prefix("xai-key", "xai-", r"[A-Za-z0-9]{20,}"),
    _prefix("perplexity-key", "pplx-", r"[A-Za-z0-9]{20,}"),
    _prefix("nvidia-key", "nvapi-"),
    _prefix("langsmith-key", "lsv2_pt_ lsv2_sk_"),
    _prefix("together-key", "tgp_v1_"),
    # Watching and running things
    _prefix("databricks-token", "dapi", r"[0-9a-f]{24,}(?:-[0-9])?"),
    _prefix("newrelic-key", "NRAK- NRJS- NRII- NRRA- NRBR-", r"[\w-]{12,}"),
    _prefix("sentry-token", "sntrys_ sntryu_ sntrya_", r"[\w+/=]{16,}"),
    _kind("sentry-dsn", "ingest", r"https?://([0-9a-f]{16,}(?::[0-9a-f]+)?)@[\w.-]*ingest", 1),
    _prefix("grafana-token", "glsa_ glc_", r"[\w+/=]{16,}"),
    _kind("pagerduty-key", "pdus+ u+", r"(?:pdus\+|u\+)[\w-]{18,}(?![\w+/])", start=r"(?<![A-Za-z0-9+/])"),
    _prefix("dynatrace-token", "dt0c01. dt0s01. dt0s16.", r"[\w.]{16,}"),
    _kind("launchdarkly-key", "sdk- api- mob-", rf"(?:sdk|api|mob)-{_UUID}"),
    _prefix("postman-key", "PMAK-"),
    _prefix("tailscale-key", "tskey-"),
    _prefix("vault-token", "hvs. hvb. hvr.", r"[\w-]{16,}"),
    _kind("vault-token", "s.", r"s\.(?=[A-Za-z]{0,23}[0-9])[A-Za-z0-9]{24}(?![\w.])", start=r"(?<![\w./-])"),
    _kind("terraform-token", ".atlasv1.", r"[A-Za-z0-9]{10,}\.atlasv1\.[\w-]{16,}"),
    _prefix("pulumi-token", "pul-", r"[0-9a-f]{20,}"),
    _prefix("doppler-token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[\w.-]{16,}"),
    _prefix("infracost-key", "ico-", r"[A-Za-z0-9]{24,}"),
    _prefix("prefect-key", "pnu_", r"[A-Za-z0-9]{20,}"),
    _prefix("openshift-token", "sha256~", r"[\w-]{24,}"),
    _kind("mapbox-token", "sk.eyJ pk.eyJ", r"[sp]k\.eyJ[\w-]{16,}(?:\.[\w-]*)?"),
    # Work
    _prefix("linear-key", "lin_api_ lin_oauth_", r"[A-Za-z0-9]{16,}"),
    _prefix("notion-token", "ntn_ secret_", r"[A-Za-z0-9]{32,}"),
    _kind("asana-token", "0/ 1/ 2/", r"[0-2]/[0-9]{10,}(?:/[0-9]+)?:[0-9a-f]{24,}"),
    _kind("airtable-token", "pat", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{16,}"),
    _prefix("figma-token", "figd_ figo_ figu_"),
    _kind("hubspot-token", "pat-", r"pat-(?:na|eu|ap)[0-9]-[0-9a-f-]{16,}"),
    _prefix("typeform-token", "tfp_"),
    _prefix("contentful-token", "CFPAT-"),
    _prefix("readme-key", "rdme_", r"[a-z0-9]{32,}"),
    _prefix("segment-token", "sgp_", r"[A-Za-z0-9]{24,}"),
    _prefix("dropbox-token", "sl.", r"[\w-]{80,}"),
    _prefix("facebook-token", "EAA", r"[A-Za-z0-9]{40,}"),
    _prefix("twitter-token", "AAAAAAAAAAAAAAAAAAAA", r"[\w%-]{20,}"),
    # People and machines
    _kind("okta-token", "SSWS", r"SSWS\s+([\w-]{16,})", 1),
    _prefix("onepassword-token", "ops_eyJ", r"[\w.=+/-]{16,}"),
    _kind("onepassword-key", "A3-", r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,6}-?){2,6}"),
    _prefix("age-key", "AGE-SECRET-KEY-1", r"[A-Z0-9]{16,}"),
    _kind("jwt", "eyJ", r"eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"),
    _kind("password-hash", "$2", r"\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{10,}", start=""),
    _kind("password-hash", "$argon2", r"\$argon2(?:id|i|d)\$[\w=$+/,.-]+", start=""),
    _kind(
        "password-hash", "$1$ $5$ $6$ $y$ $7$ $apr1$ $sha1$", r"\$(?:1|5|6|7|y|apr1|sha1)\$[\w=$./,-]{10,}", start=""
    ),
    _kind("password-hash", "pbkdf2 scrypt", r"(?:pbkdf2|scrypt)[\w:-]*\$[\w=$+/.:-]{16,}"),
    _kind("password-hash", "{SSHA {SHA} {CRYPT} {SMD5}", r"\{(?:SSHA\d*|SHA|CRYPT|SMD5)\}[\w=$+/.]{10,}", start=""),
)
