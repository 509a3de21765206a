import { createRoot } from "react-dom/client";
import "../base.css";
import "./dashboard.css";
import { applyTheme } from "../shared/theme";
import { Dashboard } from "./Dashboard";

applyTheme();
createRoot(document.getElementById("root")!).render(<Dashboard />);
