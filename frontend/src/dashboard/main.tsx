import { createRoot } from "react-dom/client";
import "../base.css";
import "./dashboard.css";
import { Dashboard } from "./Dashboard";

createRoot(document.getElementById("root")!).render(<Dashboard />);
