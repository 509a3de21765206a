import { createRoot } from "react-dom/client";
import "../base.css";
import "./landing.css";
import { Landing } from "./Landing";

createRoot(document.getElementById("root")!).render(<Landing />);
