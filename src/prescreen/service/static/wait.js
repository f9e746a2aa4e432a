// The waiting patient's page: looks every 15 seconds whether the nurse has asked something. Without it there is a button.
const news = document.getElementById("news");
if (news) {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(news.dataset.url, { headers: { accept: "application/json" } }).catch(() => null);
    if (answer && answer.ok && (await answer.json()).asked) location.reload();
  }, 15000);
}
