//! The dynamic configuration of Traefik, for its file provider.

use super::{ProxyPlan, closed, other_spellings, push};
use crate::base::origin::Origin;

pub(super) fn write(plan: &ProxyPlan) -> String {
    let (own, place) = (plan.own.host(), plan.place(""));
    let part = |path: &str| format!(" && !PathPrefix(`{path}`)");
    let closed: String = closed().into_iter().map(part).collect();
    let mut text = format!(
        "# Guards apps behind vestibule. A dynamic configuration for Traefik 2 or 3 (file provider), with \
         an\n# entry point called websecure.\n{}\nhttp:\n  routers:\n",
        plan.remark()
    );
    for (number, (app, _)) in (1..).zip(&plan.apps) {
        push(&mut text, &app_router(plan, number, app));
    }
    push(
        &mut text,
        &format!(
            "    vestibule:
      # Only Traefik itself may ask for checks.
      rule: Host(`{own}`){closed}
      entryPoints: [websecure]
      service: vestibule
      tls: {{}}
"
        ),
    );
    push(&mut text, &middlewares(plan));
    push(&mut text, "  services:\n");
    for (number, (_, upstream)) in (1..).zip(&plan.apps) {
        push(&mut text, &service(&format!("app{number}"), upstream));
    }
    push(&mut text, &service("vestibule", &format!("http://{place}")));
    text
}

fn app_router(plan: &ProxyPlan, number: u32, app: &Origin) -> String {
    let host = app.host();
    let authorization = if plan.basic_auth { ", vestibule-authorization" } else { "" };
    format!(
        "    app{number}:
      rule: Host(`{host}`)
      entryPoints: [websecure]
      middlewares: [vestibule-spellings, vestibule{authorization}]
      service: app{number}
      tls: {{}}
"
    )
}

fn middlewares(plan: &ProxyPlan) -> String {
    let (place, question) = (plan.place(""), plan.question());
    let names = plan.identity.all();
    let mut drops = String::new();
    for name in names {
        for spelling in other_spellings(name) {
            push(&mut drops, &format!("          {spelling}: \"\"\n"));
        }
    }
    let names = names.join(", ");
    let authorization = if plan.basic_auth {
        "    vestibule-authorization:
      headers:
        # Apps do not get the credentials of the check.
        customRequestHeaders:
          Authorization: \"\"
"
    } else {
        ""
    };
    format!(
        "  middlewares:
    vestibule-spellings:
      headers:
        # An empty value removes an identity header that the client sends in another spelling.
        customRequestHeaders:
{drops}{authorization}    vestibule:
      forwardAuth:
        address: \"http://{place}/auth/forward{question}\"
        # Each of these replaces what the client sent.
        authResponseHeaders: [{names}]
        # true only behind another proxy that you trust.
        trustForwardHeader: false
"
    )
}

fn service(name: &str, upstream: &str) -> String {
    format!(
        "    {name}:
      loadBalancer:
        servers:
          - url: \"{upstream}\"
"
    )
}
