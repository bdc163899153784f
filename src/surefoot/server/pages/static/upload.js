// Publishing from the browser: the image under the SHA-256 of its bytes, then the release with its signed manifest.
(() => {
  const form = document.getElementById("upload");
  if (!form || !window.crypto?.subtle) return;
  form.hidden = false;
  const said = document.getElementById("upload-said");
  const bar = form.querySelector("progress");
  const button = form.querySelector("button");
  const csrf = { "X-CSRF-Token": form.dataset.csrf };

  const problem = (text) => {
    try { const found = JSON.parse(text); return `${found.detail} (${found.code})`; } catch { return "The server gave no answer that can be read: try again."; }
  };
  const put = (path, data) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("X-CSRF-Token", form.dataset.csrf);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => { bar.value = event.loaded / event.total; };
    request.onload = () => (request.status < 300 ? resolve() : reject(new Error(problem(request.responseText))));
    request.onerror = () => reject(new Error("The connection broke: try again."));
    request.send(data);
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    bar.hidden = false;
    try {
      const fields = new FormData(form);
      const image = await fields.get("image").arrayBuffer();
      let manifest;
      try { manifest = JSON.parse(await fields.get("manifest").text()); } catch { throw new Error("The manifest is no JSON: choose the file that was signed."); }
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", image));
      const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      said.textContent = "Uploading…";
      await put(`/api/v1/images/${sha256}`, image);
      said.textContent = "Publishing…";
      const answer = await fetch("/api/v1/releases", {
        method: "POST",
        headers: { ...csrf, "Content-Type": "application/json" },
        body: JSON.stringify({ sku: fields.get("sku").trim(), sha256, manifest }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(problem(text));
      location.assign(`/releases/${JSON.parse(text).release_id}?done=published`);
    } catch (error) {
      said.textContent = error.message;
      bar.hidden = true;
      button.disabled = false;
    }
  });
})();
