// Makes and uses passkeys: the one script of the site, on the pages that have a form for it. It sends nothing itself:
// what the browser answers goes into a field, and the form is sent like any other. Without it the forms stay hidden.
"use strict";
(() => {
    if (!window.PublicKeyCredential) return;

    const bytes = (text) =>
        Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (it) => it.charCodeAt(0));
    const text = (buffer) =>
        buffer && btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/[/]/g, "_").replace(/=+$/, "");
    const withBytes = (list) => (list || []).map((it) => ({ ...it, id: bytes(it.id) }));

    const ask = (options, more) => {
        const publicKey = { ...options, challenge: bytes(options.challenge) };
        if (!options.user) {
            publicKey.allowCredentials = withBytes(options.allowCredentials);
            return navigator.credentials.get({ publicKey, ...more });
        }
        publicKey.user = { ...options.user, id: bytes(options.user.id) };
        publicKey.excludeCredentials = withBytes(options.excludeCredentials);
        return navigator.credentials.create({ publicKey, ...more });
    };

    const send = (form, { id, response }) => {
        const answer = {
            clientDataJSON: text(response.clientDataJSON),
            authenticatorData: text(response.authenticatorData || response.getAuthenticatorData()),
        };
        if (response.signature) {
            answer.signature = text(response.signature);
            answer.userHandle = text(response.userHandle);
        } else {
            answer.transports = response.getTransports();
        }
        form.elements.credential.value = JSON.stringify({ id, type: "public-key", response: answer });
        const box = document.querySelector("input[type=checkbox][name=remember]");
        if (box && form.elements.remember) form.elements.remember.disabled = !box.checked;
        form.submit();
    };

    let offered = null;
    for (const form of document.querySelectorAll("form[data-passkey]")) {
        const options = JSON.parse(form.dataset.passkey);
        const failed = form.querySelector("[role=alert]");
        form.addEventListener("submit", async (event) => {
            event.preventDefault();
            if (offered) offered.abort();
            failed.hidden = true;
            try {
                send(form, await ask(options));
            } catch {
                failed.hidden = false;
            }
        });
        form.hidden = false;
        // Offers passkeys in the field for the name, where browsers can.
        if ("offer" in form.dataset && PublicKeyCredential.isConditionalMediationAvailable) {
            PublicKeyCredential.isConditionalMediationAvailable().then((can) => {
                if (!can) return;
                offered = new AbortController();
                return ask(options, { mediation: "conditional", signal: offered.signal }).then((it) => send(form, it));
            }).catch(() => {});
        }
    }
})();
