import { createRoot } from "react-dom/client";
import "../base.css";
import "./landing.css";
import { applyTheme } from "../shared/theme";
import { Landing } from "./Landing";

applyTheme();
createRoot(document.getElementById("root")!).render(<Landing />);
