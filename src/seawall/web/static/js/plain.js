// Pages without anything live: times and units only.
import "./show.js";
